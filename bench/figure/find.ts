import Sqlite from "better-sqlite3";
import { SessionOrder } from "../../gen/ts/parley/v1/session_service_pb.ts";
import { findStore, MESSAGES, sessionIdOf, SESSIONS, wordOf } from "../find-store.ts";
import type { Found } from "../load/find.ts";
import { count, ms, verdict, type Row } from "../row.ts";
import { median, quantile } from "../sample.ts";
import type { Figure } from "./figure.ts";

const LIST_TARGET_MS = 10;
const SEARCH_TARGET_MS = 50;
const ROUNDS = 30;
const WARM_UP = 5;

const [MOST, SECOND] = [wordOf(1), wordOf(2)] as const;
const RARE = wordOf(20_000);
const { UPDATE_TIME_DESC, TITLE_ASC, CREATE_TIME_ASC } = SessionOrder;

/** What is listed, and what plain SQL without the engine's indexes would be asked for it. */
const LISTS = [
  ["first page", {}, "1"],
  ["a label of all", { labels: { all: "yes" } }, "labels ->> 'all' = 'yes'"],
  ["a label of few", { labels: { team: "team-7" } }, "labels ->> 'team' = 'team-7'"],
  ["a label of none", { labels: { team: "none" } }, "labels ->> 'team' = 'none'"],
  ["the older half, newest first", { labels: { half: "old" } }, "labels ->> 'half' = 'old'"],
  [
    "two that exclude each other",
    { labels: { parity: "1" }, profile: "demo" },
    "labels ->> 'parity' = '1' AND profile = 'demo'",
  ],
  ["a star, by change", { starred: true, order: UPDATE_TIME_DESC }, "starred = 1"],
  [
    "a workspace, by title",
    { workspace: "/home/user/project-7", order: TITLE_ASC },
    "workspace = '/home/user/project-7'",
  ],
  ["a common word, oldest first", { query: MOST, order: CREATE_TIME_ASC }, `title LIKE '%${MOST}%'`],
  ["a word of none", { query: "zebra" }, "title LIKE '%zebra%'"],
] as const;

const SEARCHES = [
  ["a common word", { query: MOST }, `parts LIKE '%${MOST}%'`],
  ["a rare word", { query: RARE }, `parts LIKE '%${RARE}%'`],
  ["a word of none", { query: "zebra" }, "parts LIKE '%zebra%'"],
  ["two common words", { query: `${MOST} ${SECOND}` }, `parts LIKE '%${MOST}%' AND parts LIKE '%${SECOND}%'`],
  [
    "a common word in one session",
    { query: MOST, sessionId: sessionIdOf(776) },
    `session_key = 777 AND parts LIKE '%${MOST}%'`,
  ],
] as const;

/** Pages of a long list of sessions, and searches of a million messages, each beside plain SQL that looks at the rows. */
export const find: Figure = async (children) => {
  const { dataDir, database } = findStore();
  const engine = await children.engine({ dataDir });
  const load = children.load();
  const rounds = { target: { url: engine.url, token: engine.token }, rounds: ROUNDS, warmUp: WARM_UP };
  const lists = await load.run("lists", { ...rounds, requests: LISTS.map(([, request]) => request) });
  const searches = await load.run("searches", { ...rounds, requests: SEARCHES.map(([, request]) => request) });
  await children.stopAll();
  const db = new Sqlite(database, { readonly: true });
  const rows = [
    ...LISTS.map(([name, , where], i) => {
      const sql = `SELECT * FROM sessions WHERE ${where} ORDER BY key DESC LIMIT 50`;
      return rowOf(`${count(SESSIONS)} sessions: ${name}`, lists[i], plainSql(db, sql, 5), LIST_TARGET_MS);
    }),
    ...SEARCHES.map(([name, , where], i) => {
      const sql = `SELECT * FROM messages WHERE ${where} ORDER BY key DESC LIMIT 20`;
      return rowOf(`${count(MESSAGES)} messages: ${name}`, searches[i], plainSql(db, sql, 1), SEARCH_TARGET_MS);
    }),
  ];
  db.close();
  return rows;
};

function rowOf(figure: string, found: Found | undefined, plainMs: number, targetMs: number): Row {
  const own = median(found?.ms ?? []);
  return {
    figure,
    measured: ms(own),
    beside: `${ms(plainMs)} plain SQL`,
    compared: `× ${(own / plainMs).toFixed(2)}`,
    target: `${targetMs} ms`,
    verdict: verdict(own <= targetMs),
    note: `${found?.items ?? 0} found, p99 ${ms(quantile(found?.ms ?? [], 0.99))}`,
    values: { engine_ms: own, sql_ms: plainMs, items: found?.items ?? 0 },
  };
}

function plainSql(db: Sqlite.Database, sql: string, rounds: number): number {
  const statement = db.prepare(sql);
  return median(
    Array.from({ length: rounds }, () => {
      const startMs = performance.now();
      statement.all();
      return performance.now() - startMs;
    }),
  );
}
