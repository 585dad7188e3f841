import Sqlite from "better-sqlite3";
import { selectNewestMessages, selectStreaming } from "../../src/message/message-store.ts";
import { selectSession } from "../../src/session/session-store.ts";
import { selectQueue } from "../../src/turn/queue/queue-store.ts";
import { selectOpenCalls } from "../../src/turn/call/tool-call-store.ts";
import { selectRunningTurn } from "../../src/turn/turn-store.ts";
import { historyStore, type StoredHistory } from "../history-store.ts";
import { count, ms, verdict } from "../row.ts";
import { median, quantile } from "../sample.ts";
import type { Figure } from "./figure.ts";

const TARGET_MS = 20;
const PAGE = 100;
const ROUNDS = 300;

/** A long session as a client opens it, beside its queries alone and beside a short session. */
export const snapshot: Figure = async (children) => {
  const store = historyStore();
  const { short, long, huge } = store.histories;
  const dataDir = children.newDataDir();
  store.copyTo(dataDir);
  const engine = await children.engine({ dataDir });
  const load = children.load();
  const target = { url: engine.url, token: engine.token };
  const sessionIds = [long.sessionId, short.sessionId, huge.sessionId];
  const { ms: times, messages } = await load.run("snapshots", { target, sessionIds, rounds: ROUNDS, warmUp: 50 });
  await children.stopAll();
  const [own = NaN, ofShort = NaN, ofHuge = NaN] = times.map(median);
  const plain = plainSql(store.database, long);
  const isWhole = messages.every((one) => one === PAGE);
  return [
    {
      figure: `snapshot of a session of ${count(long.messages)} messages`,
      measured: ms(own),
      beside: `${ms(plain)} plain SQL`,
      compared: `+${ms(own - plain)}`,
      target: `${TARGET_MS} ms`,
      verdict: verdict(isWhole && own <= TARGET_MS),
      note: `p99 ${ms(quantile(times[0] ?? [], 0.99))}; of ${count(short.messages)} messages ${ms(ofShort)}, of ${count(huge.messages)} ${ms(ofHuge)}`,
      values: { engine_ms: own, sql_ms: plain, short_ms: ofShort, huge_ms: ofHuge },
    },
  ];
};

/** The same rows, read and parsed. */
function plainSql(database: string, { sessionId, sessionKey }: StoredHistory): number {
  const db = new Sqlite(database, { readonly: true });
  const queries = [
    selectSession(sessionId),
    selectNewestMessages(sessionKey, PAGE + 1),
    selectStreaming(sessionKey),
    selectRunningTurn(sessionKey),
    selectOpenCalls(sessionKey),
    selectQueue(sessionKey),
  ].map(({ sql, params }) => ({ statement: db.prepare<unknown[], { parts?: string }>(sql), params }));
  const times = Array.from({ length: ROUNDS }, () => {
    const startMs = performance.now();
    for (const { statement, params } of queries) {
      for (const row of statement.all(...params)) if (row.parts !== undefined) JSON.parse(row.parts);
    }
    return performance.now() - startMs;
  });
  db.close();
  return median(times);
}
