// A program: makes the load. Its parent sends a job's name and input and gets the result; what a job opened stays open.
import { createSessions } from "./load/calls.ts";
import { lists, searches } from "./load/find.ts";
import { firstTokens } from "./load/first-token.ts";
import { holdWatchers } from "./load/hold.ts";
import { replay } from "./load/replay.ts";
import { requests } from "./load/requests.ts";
import { snapshots } from "./load/snapshot.ts";
import { exportAll, forks } from "./load/transfer.ts";
import { turnsAtEngine, turnsAtUpstream } from "./load/turns.ts";
import { unaryCalls } from "./load/unary.ts";
import { watchTurn } from "./load/watchers.ts";

const jobs = {
  createSessions,
  exportAll,
  firstTokens,
  forks,
  holdWatchers,
  lists,
  replay,
  requests,
  searches,
  snapshots,
  turnsAtEngine,
  turnsAtUpstream,
  unaryCalls,
  watchTurn,
};
export type Jobs = typeof jobs;

type AnyJob = (input: unknown) => Promise<unknown>;

process.on("message", ({ job, input }: { job: keyof Jobs; input: unknown }) => {
  (jobs[job] as AnyJob)(input).then(
    (result) => process.send?.({ result }),
    (error: unknown) =>
      process.send?.({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  );
});
process.on("disconnect", () => process.exit());
