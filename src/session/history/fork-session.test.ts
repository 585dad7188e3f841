import { expect, test } from "vitest";
import { setUp } from "../../../test/helpers/turn-engine.ts";
import { newId } from "../../id.ts";
import type { Message } from "../../message/message.ts";
import { systemClock } from "../../clock.ts";
import { insertMessage, listConversation } from "../../message/message-store.ts";
import type { Database, Query, Row } from "../../store/database.ts";
import { openSqlite } from "../../store/sqlite.ts";
import { exportSessions } from "../transfer/export-sessions.ts";
import { readSmallSessions } from "../transfer/export-small.ts";
import { forkSession } from "./fork-session.ts";
import { createRemovedSessions } from "../removed-sessions.ts";
import { createSessionDrafts } from "../session-draft.ts";
import { getSession, insertSession } from "../session-store.ts";

const MANY = 1200;
/** So long that all of them together are read piece by piece. */
const TEXT = "x".repeat(200);

/** A session of many messages, and what forks it; the two run before and after each read of a piece of a history. */
async function setUpFork(
  beforePiece: (piece: number) => Promise<void> = async () => {},
  afterPiece: (piece: number) => Promise<void> = async () => {},
) {
  const db = openSqlite(":memory:");
  const engine = await setUp([], {}, db);
  const { id, clock, onBug } = engine;
  const { key } = await getSession(db, id);
  for (let seq = 1; seq <= MANY; seq++) await db.transact([insertMessage(key, messageOf(id, seq), seq)]);
  await db.transact([{ sql: "UPDATE sessions SET last_seq = ? WHERE id = ?", params: [MANY, id] }]);
  let pieces = 0;
  const slow: Database = {
    ...db,
    read: async <T>(queries: readonly Query[], take?: (rows: Row[][]) => T) => {
      if (!queries.some(({ sql }) => sql.includes("history_edits"))) return db.read(queries, take);
      await beforePiece(++pieces);
      const read = await db.read(queries, take);
      await afterPiece(pieces);
      return read;
    },
  };
  const removed = createRemovedSessions(db, onBug);
  const draftsDeps = { db, clock, encode, removed, checkRunning: () => {}, onBug };
  const drafts = createSessionDrafts(draftsDeps);
  const deps = { ...engine, db: slow, newId, drafts };
  const fork = () =>
    forkSession(deps, { sessionId: id, idempotencyKey: "", beforeMessageId: "", title: undefined, actor: "me" });
  const edit = (seq: number) =>
    db.transact([{ sql: "UPDATE messages SET parts = '[]' WHERE session_key = ? AND seq = ?", params: [key, seq] }]);
  return { db, slow, id, key, drafts, removed, fork, edit, pieces: () => pieces };
}

const encode = (payload: unknown): Buffer => Buffer.from(JSON.stringify(payload));

function messageOf(sessionId: string, seq: number): Message {
  const role = seq % 2 === 1 ? "user" : "assistant";
  const said = { id: newId("msg"), sessionId, turnId: "", role, status: "complete" } as const;
  return { ...said, parts: [{ kind: "text", text: `${seq} ${TEXT}` }], model: "", usage: undefined, createTimeMs: seq };
}

const saidBy = ({ id, role, parts, createTimeMs }: Message) => ({ id, role, parts, createTimeMs });

async function read(db: Database, ids: readonly string[]): Promise<string> {
  let file = "";
  for await (const piece of exportSessions({ db, clock: systemClock }, ids, "me"))
    file += Buffer.from(piece).toString();
  return file;
}

const rowsOf = async (db: Database, table: string): Promise<number> =>
  (await db.get<{ n: number }>({ sql: `SELECT count(*) AS n FROM ${table}`, params: [] }))?.n ?? 0;

test("a fork of a history that is edited while it is copied is of one moment: it is copied again", async () => {
  const setup = await setUpFork(async (piece) => {
    // Both lie in pieces that the first try has behind it or before it.
    if (piece === 2) await Promise.all([setup.edit(1), setup.edit(MANY)]);
  });
  const { key } = await setup.fork();
  const copied = await listConversation(setup.db, key);
  expect([copied[0]?.parts, copied.at(-1)?.parts, copied.length]).toEqual([[], [], MANY]);
  await setup.removed.close();
});

test("control: one that does not look for edits would mix two moments", async () => {
  const setup = await setUpFork(async (piece) => {
    if (piece !== 2) return;
    await Promise.all([setup.edit(1), setup.edit(MANY)]);
    await setup.db.transact([{ sql: "UPDATE sessions SET history_edits = 0", params: [] }]);
  });
  const { key } = await setup.fork();
  const copied = await listConversation(setup.db, key);
  expect([copied[0]?.parts, copied.at(-1)?.parts]).toEqual([[{ kind: "text", text: `1 ${TEXT}` }], []]);
});

test("a piece that is edited after it was read, before it is copied, is read again: its rows and its events say the same", async () => {
  const setup = await setUpFork(undefined, async (piece) => {
    if (piece === 2) await setup.edit(600);
  });
  const { key } = await setup.fork();
  const copied = await listConversation(setup.db, key);
  const events = await setup.db.all<{ payload: Uint8Array }>({
    sql: "SELECT payload FROM events WHERE session_key = ? ORDER BY seq",
    params: [key],
  });
  const told = events.map(({ payload }) => JSON.parse(Buffer.from(payload).toString()) as { message: Message });
  expect([copied.length, copied[599]?.parts]).toEqual([MANY, []]);
  expect(copied.map(saidBy)).toEqual(told.map(({ message }) => saidBy(message)));
  expect(copied.map(({ seq }) => seq)).toEqual(copied.map((_, i) => i + 1));
});

test("control: without its claim a copy would take rows that its events do not tell of", async () => {
  const setup = await setUpFork(undefined, async (piece) => {
    if (piece !== 2) return;
    await setup.edit(600);
    await setup.db.transact([{ sql: "UPDATE sessions SET history_edits = 0", params: [] }]);
  });
  const { key } = await setup.fork();
  const copied = await listConversation(setup.db, key);
  const event = await setup.db.get<{ payload: Uint8Array }>({
    sql: "SELECT payload FROM events WHERE session_key = ? AND seq = 600",
    params: [key],
  });
  expect(copied[599]?.parts).toEqual([]);
  expect(Buffer.from(event?.payload ?? []).toString()).toContain(`600 ${TEXT}`);
});

test("a history that never rests is refused, and nothing of the copies stays", async () => {
  const setup = await setUpFork(async (piece) => {
    if (piece % 2 === 0) await setup.edit(1);
  });
  await expect(setup.fork()).rejects.toMatchObject({ reason: "SESSION_CHANGED" });
  expect(await rowsOf(setup.db, "sessions")).toBe(1);
  expect(await rowsOf(setup.db, "draft_sessions")).toBe(0);
  await swept(setup.db);
  expect(await rowsOf(setup.db, "messages")).toBe(MANY);
  expect(await rowsOf(setup.db, "events")).toBe(0);
});

test("a session that is deleted while it is copied is not there", async () => {
  const setup = await setUpFork(async (piece) => {
    if (piece === 2) await setup.db.transact([{ sql: "DELETE FROM sessions WHERE id = ?", params: [setup.id] }]);
  });
  await expect(setup.fork()).rejects.toMatchObject({ reason: "SESSION_NOT_FOUND" });
  expect(await rowsOf(setup.db, "sessions")).toBe(0);
});

test("what is said while it is copied is not in the copy", async () => {
  const setup = await setUpFork(async (piece) => {
    const seq = MANY + piece;
    await setup.db.transact([insertMessage(setup.key, messageOf(setup.id, seq), seq)]);
  });
  const { key, lastSeq } = await setup.fork();
  expect(lastSeq).toBe(MANY);
  expect(await listConversation(setup.db, key)).toHaveLength(MANY);
});

test("an export of a session that is edited meanwhile holds one moment of it", async () => {
  const setup = await setUpFork(async (piece) => {
    if (piece === 2) await Promise.all([setup.edit(1), setup.edit(MANY)]);
  });
  const lines = (await read(setup.slow, [])).trim().split("\n");
  expect(lines).toHaveLength(MANY + 3);
  expect([lines[2], lines.at(-2)].map((line) => line?.includes('"parts":[]'))).toEqual([true, true]);
  expect(lines.at(-1)).toBe(`{"end":{"sessions":1,"messages":${MANY}}}`);
});

test("small sessions are read together, each as it is alone; what is being made is left out, and so is who is gone", async () => {
  const engine = await setUp([]);
  const { db, id } = engine;
  const other = await getSession(db, id);
  const ids = [id, "ses_none"];
  for (let i = 1; i <= 3; i++) {
    const named = { ...other, title: `größe ${i} 😀` };
    await db.transact(insertSession(`ses_${i}`, named, i));
    const { key } = await getSession(db, `ses_${i}`);
    // The last one first: the order is that of the places.
    for (let seq = i - 1; seq > 0; seq--) await db.transact([insertMessage(key, messageOf(`ses_${i}`, seq), seq)]);
    const streaming = { ...messageOf(`ses_${i}`, 9), status: "streaming" as const };
    await db.transact([insertMessage(key, streaming, 9)]);
    ids.push(`ses_${i}`);
  }
  const small = await readSmallSessions(db, ids);
  expect([...small.keys()].toSorted()).toEqual([id, "ses_1", "ses_2", "ses_3"].toSorted());
  const countsOf = (name: string) => (small.get(name) ?? []).map(({ sessions, messages }) => [sessions, messages]);
  expect(["ses_1", "ses_2", "ses_3"].map(countsOf)).toEqual([
    [[1, 0]],
    [
      [1, 0],
      [0, 1],
    ],
    [
      [1, 0],
      [0, 2],
    ],
  ]);
  const lines = Buffer.concat((small.get("ses_3") ?? []).map(({ bytes }) => bytes))
    .toString()
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as object);
  expect(lines).toMatchObject([
    { session: { id: "ses_3", title: "größe 3 😀" } },
    { message: { role: "user", parts: [{ text: `1 ${TEXT}` }] } },
    { message: { role: "assistant", parts: [{ text: `2 ${TEXT}` }] } },
  ]);
});

test("an export of all leaves out what is removed meanwhile; one of named sessions says so", async () => {
  const remove = async (setup: Awaited<ReturnType<typeof setUpFork>>) =>
    setup.db.transact([{ sql: "DELETE FROM sessions WHERE id = ?", params: [setup.id] }]);
  const all = await setUpFork(async (piece) => void (piece === 2 && (await remove(all))));
  expect(await read(all.slow, [])).toContain('{"end":{"sessions":0,"messages":0}}');
  const named = await setUpFork(async (piece) => void (piece === 2 && (await remove(named))));
  await expect(read(named.slow, [named.id])).rejects.toMatchObject({ reason: "SESSION_NOT_FOUND" });
});

test("what an engine left in drafts when it died is swept at the next start, and its keys are never used again", async () => {
  const { db, id, drafts, removed } = await setUpFork();
  const { key } = await getSession(db, id);
  let keys: readonly number[] = [];
  const dying = new Promise<never>(() => {});
  const settings = { ...(await getSession(db, id)) };
  await new Promise<void>((resolve) => {
    void drafts.make("me", async (draft) => {
      keys = await draft.addSessions([{ id: "ses_a", settings, origin: {} }]);
      await draft.addMessages([{ sessionKey: keys[0] ?? 0, seq: 1, message: messageOf("ses_a", 1) }]);
      resolve();
      return dying;
    });
  });
  removed.sweep();
  expect(await rowsOf(db, "messages")).toBe(MANY + 1);
  expect(await rowsOf(db, "sessions")).toBe(1);
  // The next start.
  await drafts.dropLeftOver();
  removed.sweep();
  await swept(db);
  expect([await rowsOf(db, "messages"), await rowsOf(db, "draft_sessions")]).toEqual([MANY, 0]);
  expect(keys).toEqual([key + 1]);
  const next = await drafts.make("me", async (draft) => {
    const [own = 0] = await draft.addSessions([{ id: "ses_a", settings, origin: {} }]);
    await draft.publish([]);
    return own;
  });
  expect(next).toBe(key + 2);
});

test("a draft keeps every column of a session", async () => {
  const db = openSqlite(":memory:");
  const columnsOf = async (table: string) =>
    (await db.all<{ name: string }>({ sql: `SELECT name FROM pragma_table_info('${table}')`, params: [] })).map(
      ({ name }) => name,
    );
  // What only a session that is there has.
  const own = [
    "revision",
    "history_edits",
    "waiting_on",
    "parent_session_id",
    "parent_turn_id",
    "parent_call_id",
    "root_session_id",
  ];
  expect((await columnsOf("draft_sessions")).filter((name) => name !== "draft").toSorted()).toEqual(
    (await columnsOf("sessions")).filter((name) => !own.includes(name)).toSorted(),
  );
  await db.close();
});

async function swept(db: Database): Promise<void> {
  while ((await rowsOf(db, "removed_sessions")) > 0) await new Promise((resolve) => setImmediate(resolve));
}
