import { afterEach, expect, test } from "vitest";
import { createFakeClock } from "../../test/helpers/fake-clock.ts";
import type { Message } from "../message/message.ts";
import { insertSession } from "../session/session-store.ts";
import { ClaimLost, type Database } from "../store/database.ts";
import { openSqlite } from "../store/sqlite.ts";
import { DEFAULT_LIMITS } from "../turn/turn.ts";
import type { EventPayload, LogEntry } from "./event.ts";
import { createEventLog, type EventLog } from "./event-log.ts";
import { follow, type Followed } from "./follow.ts";

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
const ID = "ses_1";

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

const encode = (payload: EventPayload): Uint8Array => Buffer.from(JSON.stringify(payload));

async function setUp() {
  const clock = createFakeClock();
  const db = openSqlite(":memory:");
  closers.push(() => db.close());
  await db.transact(insertSession(ID, SETTINGS, 0));
  const log = createEventLog(db, encode, clock);
  closers.push(() => log.close());
  return { clock, db, log };
}

const note = (text: string): EventPayload => ({ kind: "warning", reason: "NOTE", message: text });

function completed(id: string, text: string): EventPayload {
  const parts = [{ kind: "text", text }] as const;
  const message: Message = {
    id,
    sessionId: ID,
    turnId: "turn_1",
    role: "assistant",
    status: "complete",
    parts,
    model: "",
    usage: undefined,
    createTimeMs: 0,
  };
  return { kind: "message_completed", message };
}

/** "3 note a", "5 +text" */
function show(entry: LogEntry): string {
  if ("delta" in entry) return `${entry.seq} +${entry.delta.text}`;
  const payload = JSON.parse(Buffer.from(entry.payload).toString()) as EventPayload;
  return `${entry.seq} ${payload.kind === "warning" ? payload.message : payload.kind}`;
}

async function readAll(log: EventLog, after = 0): Promise<string[]> {
  const shown: string[] = [];
  for (let cursor = after; ;) {
    const page = await log.readAfter(ID, cursor);
    shown.push(...page.entries.map(show));
    if (page.cursor === cursor) return shown;
    cursor = page.cursor;
  }
}

/** Resolves with the next commit: deltas are committed when something else is. */
const flush = (db: Database): Promise<void> => db.transact([{ sql: "UPDATE meta SET value = value", params: [] }]);

test("numbers start at 1 and have no gap, across appends at once", async () => {
  const { log } = await setUp();
  await Promise.all([
    log.append(ID, { events: [note("a"), note("b")] }),
    log.append(ID, { events: [note("c")] }),
    log.append(ID, { events: [note("d")] }),
  ]);
  expect(await readAll(log)).toEqual(["1 a", "2 b", "3 c", "4 d"]);
});

test("an append that is refused leaves no gap and nothing of itself", async () => {
  const { log } = await setUp();
  const lost = { sql: "UPDATE sessions SET title = 'x' WHERE id = 'nobody'", params: [], claim: "somebody" };
  const outcomes = await Promise.allSettled([
    log.append(ID, { events: [note("a")] }),
    log.append(ID, { events: [note("lost")], changes: () => [lost] }),
    log.append(ID, { events: [note("b")] }),
  ]);
  expect(outcomes[1]).toMatchObject({ status: "rejected", reason: new ClaimLost("somebody") });
  expect(await readAll(log)).toEqual(["1 a", "2 b"]);
});

test("a fact that cannot be encoded is refused, and the session goes on", async () => {
  const { clock, db } = await setUp();
  const log = createEventLog(
    db,
    (payload) => {
      if (payload.kind === "warning" && payload.message === "bad") throw new RangeError("too deep");
      return encode(payload);
    },
    clock,
  );
  closers.push(() => log.close());
  const outcomes = await Promise.allSettled(["a", "bad", "b"].map((text) => log.append(ID, { events: [note(text)] })));
  expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  expect(await readAll(log)).toEqual(["1 a", "2 b"]);
});

test("an append tells its number to its events and to its changes", async () => {
  const { db, log } = await setUp();
  await log.append(ID, { events: [note("a")] });
  const { firstSeq } = await log.append(ID, {
    events: (seq) => [note(`is ${seq}`)],
    changes: (seq) => [{ sql: "UPDATE sessions SET title = ? WHERE id = ?", params: [String(seq), ID] }],
  });
  expect(firstSeq).toBe(2);
  expect(await readAll(log, 1)).toEqual(["2 is 2"]);
  expect(await db.get({ sql: "SELECT title, last_seq FROM sessions", params: [] })).toEqual({
    title: "2",
    last_seq: 2,
  });
});

test("text goes before what is appended after it, and what one commit holds of it is one delta", async () => {
  const { log } = await setUp();
  await log.append(ID, { events: [note("start")], delta: { kind: "text", messageId: "m", text: "one " } });
  log.addDelta(ID, "turn_1", { kind: "text", messageId: "m", text: "two " });
  log.addDelta(ID, "turn_1", { kind: "text", messageId: "m", text: "three" });
  await log.append(ID, { events: [completed("m", "one two three")] });
  expect(await readAll(log, 1)).toEqual(["3 +one two three", "4 message_completed"]);
  expect(await readAll(log, 2)).toEqual(["3 +two three", "4 message_completed"]);
});

test("deltas of two parts are not merged into one", async () => {
  const { log } = await setUp();
  await log.append(ID, { events: [note("start")], delta: { kind: "reasoning", messageId: "m", text: "hm" } });
  log.addDelta(ID, "t", { kind: "text", messageId: "m", text: "a" });
  log.addDelta(ID, "t", { kind: "text", messageId: "n", text: "b" });
  await log.append(ID, { events: [note("end")] });
  expect(await readAll(log)).toEqual(["1 start", "2 +hm", "3 +a", "4 +b", "5 end"]);
});

test("a delta is at most 64 Ki characters, and no surrogate pair is cut", async () => {
  const { db, log } = await setUp();
  const text = `x${"🐦".repeat(70_000)}`;
  await log.append(ID, { events: [note("start")], delta: { kind: "reasoning", messageId: "m", text: "hm" } });
  log.addDelta(ID, "t", { kind: "text", messageId: "m", text });
  await flush(db);
  const { entries } = await log.readAfter(ID, 2);
  const pieces = entries.map((entry) => ("delta" in entry ? entry.delta.text : ""));
  expect(pieces.length).toBeGreaterThan(2);
  expect(pieces.every((piece) => piece.length <= 64 * 1024 && piece.isWellFormed())).toBe(true);
  expect(pieces.join("")).toBe(text);
});

test("deltas can be read for a minute after their message is whole, then it alone is left", async () => {
  const { clock, db, log } = await setUp();
  await log.append(ID, { events: [note("start")], delta: { kind: "text", messageId: "m", text: "hello" } });
  await log.append(ID, { events: [completed("m", "hello")] });
  await clock.advance(59_000);
  expect(await readAll(log, 1)).toEqual(["2 +hello", "3 message_completed"]);
  await clock.advance(1000);
  expect(await readAll(log, 1)).toEqual(["3 message_completed"]);
  expect(await readAll(log)).toEqual(["1 start", "3 message_completed"]);
  expect(await db.all({ sql: "SELECT * FROM deltas", params: [] })).toEqual([]);
});

test("rows of a message that is still being made stay, whatever else is swept", async () => {
  const { clock, db, log } = await setUp();
  await log.append(ID, { events: [note("start")], delta: { kind: "text", messageId: "long", text: "kept" } });
  await log.append(ID, { events: [note("start")], delta: { kind: "text", messageId: "short", text: "gone" } });
  await log.append(ID, { events: [completed("short", "gone")] });
  await clock.advance(5000);
  const targets = await db.all({ sql: "SELECT target FROM deltas ORDER BY id", params: [] });
  expect(targets).toContainEqual({ target: "long" });
});

test("a log of thousands of events is read from the store and from memory without a seam", async () => {
  const { log } = await setUp();
  const names = Array.from({ length: 1500 }, (_, i) => `e${i + 1}`);
  for (const name of names) await log.append(ID, { events: [note(name)] });
  expect(await readAll(log)).toEqual(names.map((name, i) => `${i + 1} ${name}`));
  expect(await readAll(log, 1490)).toHaveLength(10);
});

test("after a restart numbers go on, and what was stored is read", async () => {
  const { clock, db, log } = await setUp();
  await log.append(ID, { events: [note("a")], delta: { kind: "text", messageId: "m", text: "x" } });
  await log.append(ID, { events: [completed("m", "x")] });
  const second = createEventLog(db, encode, clock);
  closers.push(() => second.close());
  await second.append(ID, { events: [note("after")] });
  expect(await readAll(second)).toEqual(["1 a", "3 message_completed", "4 after"]);
});

test("an unknown session is refused, a removed one ends its readers and writers", async () => {
  const { db, log } = await setUp();
  await expect(log.append("ses_none", { events: [note("a")] })).rejects.toMatchObject({ reason: "SESSION_NOT_FOUND" });
  await expect(log.end("ses_none")).rejects.toMatchObject({ reason: "SESSION_NOT_FOUND" });
  const watching = collect(log, 0);
  await watching.caughtUp;
  await db.transact([{ sql: "DELETE FROM sessions WHERE id = ?", params: [ID] }]);
  log.remove(ID);
  await expect(watching.done).rejects.toMatchObject({ reason: "SESSION_DELETED" });
  await expect(log.append(ID, { events: [note("a")] })).rejects.toMatchObject({ reason: "SESSION_NOT_FOUND" });
  expect(log.readerCount()).toBe(0);
});

/** Follows the log; `until(n)` resolves when so many entries have come. */
function collect(log: EventLog, afterSeq: number, clock = createFakeClock()) {
  const controller = new AbortController();
  const items: Followed[] = [];
  const waiting: { readonly isReached: () => boolean; readonly resolve: () => void }[] = [];
  const when = (isReached: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      if (isReached()) resolve();
      else waiting.push({ isReached, resolve });
    });
  const entries = (): string[] => items.flatMap((item) => ("entries" in item ? item.entries.map(show) : []));
  const run = async (): Promise<void> => {
    for await (const item of follow(log, { sessionId: ID, afterSeq, signal: controller.signal, clock })) {
      items.push(item);
      for (const { isReached, resolve } of waiting) if (isReached()) resolve();
    }
  };
  return {
    items,
    entries,
    clock,
    done: run(),
    stop: () => controller.abort(new Error("enough")),
    caughtUp: when(() => items.some((item) => "checkpoint" in item && item.checkpoint.caughtUp)),
    has: (text: string) => when(() => entries().some((entry) => entry.endsWith(text))),
    checkpoints: (count: number) => when(() => items.filter((item) => "checkpoint" in item).length >= count),
  };
}

test("a reader gets a checkpoint at once, what is stored, where that ends, and then what comes", async () => {
  const { log } = await setUp();
  await log.append(ID, { events: [note("a"), note("b")] });
  const reader = collect(log, 1);
  await reader.caughtUp;
  await log.append(ID, { events: [note("c")] });
  await reader.has("c");
  reader.stop();
  await expect(reader.done).rejects.toThrow("enough");
  expect(reader.items.map((item) => ("checkpoint" in item ? item.checkpoint : item.entries.map(show)))).toEqual([
    { lastSeq: 2, caughtUp: false },
    ["2 b"],
    { lastSeq: 2, caughtUp: true },
    ["3 c"],
  ]);
  expect(log.readerCount()).toBe(0);
});

test("a reader at the end is told so at once, and again after every 15 s of silence", async () => {
  const { log } = await setUp();
  const reader = collect(log, 0);
  await reader.checkpoints(1);
  await reader.clock.advance(15_000);
  await reader.checkpoints(2);
  await reader.clock.advance(15_000);
  await reader.checkpoints(3);
  reader.stop();
  await expect(reader.done).rejects.toThrow("enough");
  expect(reader.items).toEqual(Array.from({ length: 3 }, () => ({ checkpoint: { lastSeq: 0, caughtUp: true } })));
  expect(reader.clock.timers()).toBe(0);
});

test("a number beyond the end is refused", async () => {
  const { log } = await setUp();
  await expect(collect(log, 1).done).rejects.toMatchObject({ reason: "SEQ_AHEAD" });
  expect(log.readerCount()).toBe(0);
});

test("an engine that stops ends its readers, and later ones at once", async () => {
  const { log } = await setUp();
  const reader = collect(log, 0);
  await reader.caughtUp;
  log.stopReaders(new Error("stopping"));
  await expect(reader.done).rejects.toThrow("stopping");
  await expect(collect(log, 0).done).rejects.toThrow("stopping");
});

test("where the disk refuses text, its writer is told, it is not shown, and it goes with the end of the message", async () => {
  const { db, log } = await setUp();
  await log.append(ID, { events: [note("start")], delta: { kind: "text", messageId: "m", text: "one " } });
  await db.transact([
    { sql: "CREATE TRIGGER refuse BEFORE INSERT ON deltas BEGIN SELECT RAISE(FAIL, 'refused'); END", params: [] },
  ]);
  log.addDelta(ID, "t", { kind: "text", messageId: "m", text: "two" });
  await flush(db);
  expect(() => log.addDelta(ID, "t", { kind: "text", messageId: "m", text: "!" })).toThrow("refused");
  expect(await readAll(log)).toEqual(["1 start", "2 +one "]);
  await db.transact([{ sql: "DROP TRIGGER refuse", params: [] }]);
  await log.append(ID, { events: [completed("m", "one two")] });
  expect(await readAll(log, 2)).toEqual(["3 +two", "4 message_completed"]);
});

const out = (text: string, callId = "call_1") => ({ kind: "stdout", callId, text }) as const;
const callEnded = (callId: string): EventPayload => ({
  kind: "tool_call_ended",
  callId,
  outcome: "succeeded",
  text: "",
  messageId: `msg_${callId}`,
});

test("what calls print is told stream by stream and call by call, merged for who comes late", async () => {
  const { db, log } = await setUp();
  await log.append(ID, { events: [note("start")] });
  await log.addOutput(ID, "t", out("a"));
  await log.addOutput(ID, "t", out("b"));
  await log.addOutput(ID, "t", { ...out("c"), kind: "stderr" });
  await log.addOutput(ID, "t", out("d", "call_2"));
  await flush(db);
  await log.addOutput(ID, "t", out("e", "call_2"));
  await flush(db);
  const { entries } = await log.readAfter(ID, 1);
  expect(entries.map((entry) => ("delta" in entry ? entry.delta : undefined))).toEqual([
    out("ab"),
    { ...out("c"), kind: "stderr" },
    out("de", "call_2"),
  ]);
  const moment = log.look(ID);
  expect([
    moment?.said("call_1", "stdout"),
    moment?.said("call_1", "stderr"),
    moment?.said("call_2", "stdout"),
  ]).toEqual(["ab", "c", "de"]);
});

test("output can be read for a minute after its call is over, then it is gone from memory and disk", async () => {
  const { clock, db, log } = await setUp();
  await log.append(ID, { events: [note("start")] });
  await log.addOutput(ID, "t", out("printed"));
  await log.append(ID, { events: [callEnded("call_1")] });
  await clock.advance(59_000);
  expect(await readAll(log, 1)).toEqual(["2 +printed", "3 tool_call_ended"]);
  await clock.advance(1000);
  expect(await readAll(log, 1)).toEqual(["3 tool_call_ended"]);
  expect(log.look(ID)?.said("call_1", "stdout") ?? "").toBe("");
  expect(await db.all({ sql: "SELECT * FROM deltas", params: [] })).toEqual([]);
});

test("output of a call that runs stays, whatever else is swept", async () => {
  const { clock, db, log } = await setUp();
  await log.append(ID, { events: [note("start")] });
  await log.addOutput(ID, "t", out("kept", "long"));
  await log.addOutput(ID, "t", out("gone", "short"));
  await log.append(ID, { events: [callEnded("short")] });
  await clock.advance(120_000);
  expect(await db.all({ sql: "SELECT kind, target, stream, text FROM deltas LIMIT 1", params: [] })).toEqual([
    { kind: "output", target: "long", stream: "stdout", text: "kept" },
  ]);
});

test("who prints faster than the disk takes it waits; who prints little does not", async () => {
  const { db, log } = await setUp();
  await log.append(ID, { events: [note("start")] });
  let isStored = false;
  db.defer({
    collect: () => {
      isStored = true;
      return [];
    },
  });
  await log.addOutput(ID, "t", out("little"));
  expect(isStored).toBe(false);
  await log.addOutput(ID, "t", out("x".repeat(64 * 1024)));
  expect(isStored).toBe(true);
});

test("where the disk refuses output, who prints is told and does not wait for ever", async () => {
  const { db, log } = await setUp();
  await log.append(ID, { events: [note("start")] });
  await db.transact([
    { sql: "CREATE TRIGGER refuse BEFORE INSERT ON deltas BEGIN SELECT RAISE(FAIL, 'refused'); END", params: [] },
  ]);
  await log.addOutput(ID, "t", out("x".repeat(64 * 1024)));
  await expect(log.addOutput(ID, "t", out("more"))).rejects.toThrow("refused");
});

test("output for a session that was removed is refused", async () => {
  const { db, log } = await setUp();
  await log.append(ID, { events: [note("start")] });
  await db.transact([{ sql: "DELETE FROM sessions WHERE id = ?", params: [ID] }]);
  log.remove(ID);
  await expect(log.addOutput(ID, "t", out("late"))).rejects.toMatchObject({ reason: "SESSION_NOT_FOUND" });
});
