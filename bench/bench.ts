// npm run bench: prints what the engine costs, each figure beside the same work without it. Exits with 1 where a target is missed.
import { rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createChildren } from "./children.ts";
import { createSession } from "./figure/create-session.ts";
import type { Figure } from "./figure/figure.ts";
import { find } from "./figure/find.ts";
import { firstToken } from "./figure/first-token.ts";
import { fullSpeed } from "./figure/full-speed.ts";
import { manyTurns } from "./figure/many-turns.ts";
import { memory } from "./figure/memory.ts";
import { permission } from "./figure/permission.ts";
import { replay } from "./figure/replay.ts";
import { requests } from "./figure/requests.ts";
import { removal } from "./figure/removal.ts";
import { sandbox } from "./figure/sandbox.ts";
import { slowDisk } from "./figure/slow-disk.ts";
import { snapshot } from "./figure/snapshot.ts";
import { start } from "./figure/start.ts";
import { transfer } from "./figure/transfer.ts";
import { watchers } from "./figure/watchers.ts";
import { describeHost, measureSync, scratchFolder } from "./host.ts";
import { formatTable, skipped, type Row } from "./row.ts";

const FIGURES: Readonly<Record<string, Figure>> = {
  start,
  "first-token": firstToken,
  "full-speed": fullSpeed,
  "many-turns": manyTurns,
  replay,
  watchers,
  memory,
  "create-session": createSession,
  find,
  snapshot,
  removal,
  transfer,
  permission,
  sandbox,
  requests,
  "slow-disk": slowDisk,
};

/** A figure that could not be measured is missed; the others are measured all the same. */
function broken(name: string, error: unknown): Row {
  console.error(error);
  return { ...skipped(name, "-", "could not be measured; see above"), verdict: "MISSED" };
}

const { values: options } = parseArgs({
  options: {
    only: { type: "string", multiple: true, default: [] },
    json: { type: "boolean", default: false },
    "profile-dir": { type: "string" },
    help: { type: "boolean", short: "h", default: false },
  },
});
const names = options.only.flatMap((list) => list.split(","));
const unknown = names.filter((name) => !(name in FIGURES));
if (options.help || unknown.length > 0) {
  if (unknown.length > 0) console.error(`no such figure: ${unknown.join(", ")}`);
  console.error(`npm run bench -- [--only NAME[,NAME]] [--json] [--profile-dir DIR]
  NAME          ${Object.keys(FIGURES).join(", ")}
  --json        one object instead of a table
  --profile-dir where engines leave CPU profiles; they are slower then`);
  process.exit(unknown.length > 0 ? 2 : 0);
}

const startMs = performance.now();
const host = `${describeHost()}, fdatasync ${measureSync().toFixed(2)} ms`;
const children = createChildren(options["profile-dir"]);
const rows: Row[] = [];
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));
rmSync(join(scratchFolder(), "engine.log"), { force: true });
try {
  for (const [name, figure] of Object.entries(FIGURES)) {
    if (names.length > 0 && !names.includes(name)) continue;
    const figureMs = performance.now();
    rows.push(...(await figure(children).catch((error: unknown) => [broken(name, error)])));
    await children.stopAll();
    console.error(`${name} (${((performance.now() - figureMs) / 1000).toFixed(0)} s)`);
  }
} finally {
  await children.stopAll();
}

const missed = rows.filter(({ verdict }) => verdict === "MISSED").length;
if (options.json) console.log(JSON.stringify({ host, rows }, undefined, 2));
else {
  const seconds = ((performance.now() - startMs) / 1000).toFixed(0);
  console.log(
    `${host}\n\n${formatTable(rows)}\n\n${missed} missed; ${seconds} s, at its end ${describeHost().split(", ").at(-1)}, fdatasync ${measureSync().toFixed(2)} ms`,
  );
}
process.exitCode = missed > 0 ? 1 : 0;
