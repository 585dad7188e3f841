import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import Sqlite from "better-sqlite3";
import { historyStore } from "../history-store.ts";
import { connectTo } from "../load/calls.ts";
import type { TurnsResult } from "../load/turns.ts";
import { count, ms, verdict } from "../row.ts";
import { median } from "../sample.ts";
import type { Figure } from "./figure.ts";

const TURNS = 50;
const ANSWER = { tokens: 400, perSecond: 50 };
const CONNECTIONS = 4;
const ROUNDS = 3;
const TARGET = 2;
/** The rows are gone long before, or they never are. */
const MAX_WAIT_MS = 300_000;

/** A session of a million events goes while others stream, beside the same streams without that. */
export const removal: Figure = async (children) => {
  const store = historyStore();
  const { huge } = store.histories;
  const upstream = await children.upstream();
  const load = children.load();
  const before: TurnsResult[] = [];
  const during: TurnsResult[] = [];
  const answered: number[] = [];
  const gone: number[] = [];
  // A session can be removed once: each round has an engine and a store of its own.
  for (let round = 0; round < ROUNDS; round++) {
    const dataDir = children.newDataDir();
    store.copyTo(dataDir);
    const engine = await children.engine({ dataDir, upstreamUrl: upstream.url });
    const target = { url: engine.url, token: engine.token };
    const stream = (): Promise<TurnsResult> =>
      load.run("turnsAtEngine", { turns: TURNS, answer: ANSWER, target, connections: CONNECTIONS });
    await stream();
    before.push(await stream());
    const streaming = stream();
    await pause(500);
    const calls = connectTo(target);
    const startMs = performance.now();
    await calls.sessions.deleteSession({ sessionId: huge.sessionId });
    answered.push(performance.now() - startMs);
    calls.close();
    during.push(await streaming);
    gone.push(await untilGone(join(dataDir, "parley.db"), startMs));
    await engine.stop();
  }
  await children.stopAll();
  const [own, other] = [gapOf(during), gapOf(before)];
  const isExact = [...before, ...during].every(({ exact }) => exact === TURNS);
  return [
    {
      figure: `removal of ${count(huge.events)} events, p99 gap of ${TURNS} streams`,
      measured: ms(own),
      beside: `${ms(other)} without it`,
      compared: `× ${(own / other).toFixed(2)}`,
      target: `× ${TARGET}`,
      verdict: verdict(isExact && own / other <= TARGET),
      note: `${isExact ? "texts exact" : "TEXTS NOT EXACT"}; largest gap ${ms(Math.max(...during.map(({ gapMs }) => gapMs.max)))}, without it ${ms(Math.max(...before.map(({ gapMs }) => gapMs.max)))}; answered after ${ms(median(answered))}, rows gone after ${ms(median(gone))}`,
      values: { during_ms: own, before_ms: other, answered_ms: median(answered), gone_ms: median(gone) },
    },
  ];
};

function gapOf(all: readonly TurnsResult[]): number {
  return median(all.map(({ gapMs }) => gapMs.p99));
}

/** When the last row was removed, in milliseconds since then. */
async function untilGone(database: string, sinceMs: number): Promise<number> {
  const db = new Sqlite(database, { readonly: true });
  const left = db.prepare("SELECT count(*) FROM removed_sessions").pluck();
  try {
    while (left.get() !== 0) {
      if (performance.now() - sinceMs > MAX_WAIT_MS) throw new Error("the rows of a removed session stay");
      await pause(100);
    }
    return performance.now() - sinceMs;
  } finally {
    db.close();
  }
}
