import { expect, it } from "vitest";
import type { Database } from "../../store/database.ts";
import { openSqlite } from "../../store/sqlite.ts";
import { DEFAULT_LIMITS } from "../../turn/turn.ts";
import { listSessions, type ListedSession, type SessionOrder } from "./list-sessions.ts";
import type { SessionSettings } from "../session.ts";
import { insertSession } from "../session-store.ts";

/** More than are looked up one by one; half of them have the label. */
const COUNT = 2600;
const PAGE = 120;

const settingsOf = (half: string): SessionSettings => ({
  title: "",
  profile: "demo",
  model: "",
  systemPrompt: "",
  workspace: "",
  labels: { half },
  limits: DEFAULT_LIMITS,
  starred: false,
  resumeAfterRestart: false,
  retryPartial: false,
  approvalMode: "default",
});

interface Made {
  readonly key: number;
  readonly isOld: boolean;
  readonly timeMs: number;
}

/** A store of sessions with the times that they have by their place, the first half labelled; and all that it was asked. */
async function setUp(timeOf: (place: number) => number) {
  const db = openSqlite(":memory:");
  const made: Made[] = [];
  for (let i = 0; i < COUNT; i++) {
    const isOld = i < COUNT / 2;
    made.push({ key: i + 1, isOld, timeMs: timeOf(i) });
    await db.transact(insertSession(`ses_${i + 1}`, settingsOf(isOld ? "old" : "new"), 0, { createTimeMs: timeOf(i) }));
  }
  const asked: string[] = [];
  const watched: Database = {
    ...db,
    all: (statement, stop) => {
      asked.push(statement.sql);
      return db.all(statement, stop);
    },
  };
  return { db: watched, made, asked };
}

async function listOld(db: Database, order: SessionOrder, size: number): Promise<number[]> {
  const filter = { query: "", labels: { half: "old" }, states: [], starred: undefined, workspace: "", profile: "" };
  const keys: number[] = [];
  for (let after: ListedSession["place"] | undefined; ;) {
    const page = await listSessions(db, { filter, order, after, limit: size, maxBytes: 1 << 30 });
    keys.push(...page.map(({ key }) => key));
    after = page.at(-1)?.place;
    if (page.length < size) return keys;
  }
}

function expected(made: readonly Made[], order: SessionOrder): number[] {
  const sign = order === "create_desc" ? -1 : 1;
  const old = made.filter(({ isOld }) => isOld);
  return old.toSorted((a, b) => sign * (a.timeMs - b.timeMs || a.key - b.key)).map(({ key }) => key);
}

const TIMES: readonly [string, (place: number) => number][] = [
  ["made one after the other", (i) => i],
  ["made many in a millisecond", (i) => Math.floor(i / 70)],
  ["all made at once", () => 5],
  ["imported the newest first", (i) => COUNT - i],
  ["imported in any order", (i) => (i * 1009) % COUNT],
  ["imported among others, older than all", (i) => (i % 50 === 7 ? -i : i)],
  ["imported among others, newer than all", (i) => (i % 50 === 7 ? COUNT + i : i)],
  ["imported last, between the others", (i) => (i >= COUNT / 2 ? i : i > COUNT / 2 - 200 ? 3 * (COUNT / 2 - i) : i)],
];

it.each(TIMES)("pages of sessions that were %s are in order, each session once", async (_name, timeOf) => {
  const { db, made } = await setUp(timeOf);
  for (const order of ["create_desc", "create_asc"] as const) {
    expect(await listOld(db, order, PAGE)).toEqual(expected(made, order));
  }
  await db.close();
});

it("what is far down the list is found by its keys, without looking at all that match", async () => {
  const { db, asked } = await setUp((i) => i);
  await listOld(db, "create_desc", COUNT / 4);
  const wholeMatch = asked.filter((sql) => sql.includes("IN (SELECT rowid FROM session_index"));
  // The last page alone, which is not full.
  expect(wholeMatch).toHaveLength(1);
  await db.close();
});

it("control: in the order of keys alone imported sessions would be out of order", async () => {
  const { db, made } = await setUp((i) => (i * 1009) % COUNT);
  const byKey = made.filter(({ isOld }) => isOld).map(({ key }) => key);
  expect(expected(made, "create_asc")).not.toEqual(byKey);
  expect(await listOld(db, "create_asc", PAGE)).not.toEqual(byKey);
  await db.close();
});
