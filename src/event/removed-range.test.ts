import { afterEach, expect, test } from "vitest";
import { createFakeClock } from "../../test/helpers/fake-clock.ts";
import { insertSession } from "../session/session-store.ts";
import type { Database } from "../store/database.ts";
import { openSqlite } from "../store/sqlite.ts";
import { DEFAULT_LIMITS } from "../turn/turn.ts";
import type { EventPayload, LogEntry } from "./event.ts";
import { createEventLog, type EventLog } from "./event-log.ts";
import type { SeqRange } from "./seq-range.ts";

const ID = "ses_1";
const SETTINGS = {
  title: "",
  profile: "demo",
  model: "",
  systemPrompt: "",
  workspace: "",
  labels: {},
  limits: DEFAULT_LIMITS,
  starred: false,
  resumeAfterRestart: false,
  retryPartial: false,
  approvalMode: "default" as const,
};

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

const encode = (payload: EventPayload): Uint8Array => Buffer.from(JSON.stringify(payload));
const note = (text: string): EventPayload => ({ kind: "warning", reason: "NOTE", message: text });
const notes = (count: number): EventPayload[] => Array.from({ length: count }, (_, i) => note(String(i + 1)));

async function setUp() {
  const clock = createFakeClock();
  const db = openSqlite(":memory:");
  closers.push(() => db.close());
  await db.transact(insertSession(ID, SETTINGS, 0));
  const open = (over: Database = db): EventLog => {
    const log = createEventLog(over, encode, clock);
    closers.push(() => log.close());
    return log;
  };
  return { clock, db, open, log: open() };
}

function completed(id: string): EventPayload {
  const empty = { sessionId: ID, turnId: "", role: "assistant", status: "complete", parts: [], model: "" } as const;
  return { kind: "message_completed", message: { id, ...empty, usage: undefined, createTimeMs: 0 } };
}

const cut = (log: EventLog, ...removed: readonly SeqRange[]) =>
  log.append(ID, { events: [note("cut")], removed: () => removed });

async function seqsAfter(log: EventLog, after: number): Promise<number[]> {
  const seqs: number[] = [];
  for (let cursor = after; ;) {
    const page = await log.readAfter(ID, cursor);
    seqs.push(...page.entries.map(({ seq }: LogEntry) => seq));
    if (page.cursor === cursor) return seqs;
    cursor = page.cursor;
  }
}

test("what is taken out is not read again, from memory or from the store", async () => {
  const { log, open } = await setUp();
  await log.append(ID, { events: notes(9) });
  await cut(log, { from: 3, to: 5 }, { from: 7, to: 9 });
  for (const reader of [log, open()]) {
    expect(await seqsAfter(reader, 0)).toEqual([1, 2, 6, 10]);
    expect(await seqsAfter(reader, 2)).toEqual([6, 10]);
    expect(await seqsAfter(reader, 4)).toEqual([6, 10]);
    expect(await seqsAfter(reader, 8)).toEqual([10]);
    expect(await seqsAfter(reader, 10)).toEqual([]);
  }
});

test("numbers go on after what was taken out, also in the next engine", async () => {
  const { log, open } = await setUp();
  await log.append(ID, { events: notes(4) });
  await cut(log, { from: 1, to: 4 });
  const { firstSeq } = await open().append(ID, { events: [note("next")] });
  expect(firstSeq).toBe(6);
  expect(await seqsAfter(open(), 0)).toEqual([5, 6]);
});

test("a long log with many cuts is read without what they took out", async () => {
  const { log, open } = await setUp();
  await log.append(ID, { events: notes(3000) });
  const ranges = Array.from({ length: 40 }, (_, i) => ({ from: 1 + i * 70, to: 35 + i * 70 }));
  await cut(log, ...ranges);
  const kept = Array.from({ length: 3001 }, (_, i) => i + 1).filter(
    (seq) => !ranges.some(({ from, to }) => from <= seq && seq <= to),
  );
  expect(await seqsAfter(log, 0)).toEqual(kept);
  expect(await seqsAfter(open(), 0)).toEqual(kept);
});

test("a reader that was asleep inside what is taken out wakes to what follows it", async () => {
  const { log } = await setUp();
  await log.append(ID, { events: notes(4) });
  const rung = new Promise<void>((resolve, reject) => {
    void log.listen(ID, { ring: resolve, fail: reject });
  });
  await cut(log, { from: 2, to: 4 });
  await rung;
  expect(await seqsAfter(log, 3)).toEqual([5]);
});

test("text of messages that are taken out is gone from memory at once", async () => {
  const { log } = await setUp();
  const delta = { kind: "text", messageId: "msg_1", text: "hello" } as const;
  await log.append(ID, { events: [note("started")], delta });
  const page = await log.readAfter(ID, 0);
  expect(page.entries).toHaveLength(2);
  await cut(log, { from: 1, to: 2 });
  expect(await seqsAfter(log, 0)).toEqual([3]);
});

test("a message that is being made stays in memory when the time of one that was taken out is over", async () => {
  const { clock, log } = await setUp();
  await log.append(ID, { events: [note("a")], delta: { kind: "text", messageId: "msg_1", text: "gone" } });
  await log.append(ID, { events: [completed("msg_1")] });
  await cut(log, { from: 1, to: 3 });
  await log.append(ID, { events: [note("b")], delta: { kind: "text", messageId: "msg_2", text: "kept" } });
  await clock.advance(60_000);
  expect(log.look(ID)).toMatchObject({ lastSeq: 6 });
  expect(log.look(ID)?.said("msg_2", "text")).toBe("kept");
  expect(log.look(ID)?.said("msg_1", "text")).toBe("");
  expect((await log.append(ID, { events: [note("c")] })).firstSeq).toBe(7);
});

test("a page that was being read when its events were taken out does not show them", async () => {
  const { db, log } = await setUp();
  await log.append(ID, { events: notes(2000) });
  // Another engine reads the same store slowly: what it reads is taken out before it has it.
  let isRead = false;
  const slow: Database = {
    ...db,
    all: async (statement, stop) => {
      const rows = await db.all(statement, stop);
      if (statement.sql.includes("FROM events") && !isRead) {
        isRead = true;
        await cut(reader, { from: 1, to: 1500 });
      }
      return rows;
    },
  };
  const reader = createEventLog(slow, encode, createFakeClock());
  closers.push(() => reader.close());
  const page = await reader.readAfter(ID, 0);
  expect(page.entries.map(({ seq }) => seq).filter((seq) => seq <= 1500)).toEqual([]);
  expect(await seqsAfter(reader, 0)).toEqual(Array.from({ length: 501 }, (_, i) => 1501 + i));
});

test("a cut that is refused takes nothing out", async () => {
  const { log, open } = await setUp();
  await log.append(ID, { events: notes(3) });
  const lost = { sql: "UPDATE sessions SET title = 'x' WHERE id = 'nobody'", params: [], claim: "somebody" };
  const append = { events: [note("cut")], removed: () => [{ from: 1, to: 3 }], changes: () => [lost] };
  await expect(log.append(ID, append)).rejects.toThrow("claim lost");
  for (const reader of [log, open()]) expect(await seqsAfter(reader, 0)).toEqual([1, 2, 3]);
});
