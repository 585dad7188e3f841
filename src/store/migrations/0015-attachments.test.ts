import { afterEach, expect, test } from "vitest";
import { referToBlob, forgetReferences, deleteBlob, insertBlob, selectBlobsBefore } from "../../blob/blob-rows.ts";
import type { Message, Part } from "../../message/message.ts";
import { completeMessage, insertMessage, insertMessages, setMessageParts } from "../../message/message-store.ts";
import { ClaimLost, type Database } from "../database.ts";
import { openSqlite } from "../sqlite.ts";

const stores: Database[] = [];
afterEach(async () => {
  for (const db of stores.splice(0)) await db.close();
});

function open(): Database {
  const db = openSqlite(":memory:");
  stores.push(db);
  return db;
}

const [A, B, C] = ["a", "b", "c"].map((digit) => digit.repeat(64)) as [string, string, string];
const image = (sha256: string): Part => ({ kind: "image", sha256, mediaType: "image/png", sizeBytes: 1 });
const file = (sha256: string): Part => ({ kind: "file", sha256, mediaType: "text/plain", sizeBytes: 1, name: "f" });
const said = (text: string): Part => ({ kind: "text", text });
const messageOf = (id: string, ...parts: readonly Part[]): Message => ({
  id,
  sessionId: "ses_1",
  turnId: "",
  role: "user",
  status: "complete",
  parts,
  model: "",
  usage: undefined,
  createTimeMs: 0,
});

async function references(db: Database): Promise<string[]> {
  const rows = await db.all<{ owner: string; sha256: string }>({
    sql: "SELECT owner, sha256 FROM blob_references ORDER BY owner, sha256",
    params: [],
  });
  return rows.map(({ owner, sha256 }) => `${owner} ${sha256[0]}`);
}

test("whoever writes, changes or removes a message keeps the references right", async () => {
  const db = open();
  await db.transact([insertMessage(1, messageOf("m1", said("x"), image(A), file(B), image(A)), 1)]);
  await db.transact(insertMessages([{ sessionKey: 1, seq: 2, message: messageOf("m2", image(A)) }]));
  await db.transact([insertMessage(1, { ...messageOf("m3"), status: "streaming" }, 3)]);
  expect(await references(db)).toEqual(["m1 a", "m1 b", "m2 a"]);
  await db.transact([setMessageParts("m1", [image(C)], 4), completeMessage(messageOf("m3", said("y"), file(B)))]);
  expect(await references(db)).toEqual(["m1 c", "m2 a", "m3 b"]);
  await db.transact([setMessageParts("m1", [said("no more")], 5)]);
  await db.transact([{ sql: "DELETE FROM messages WHERE id = 'm2'", params: [] }]);
  expect(await references(db)).toEqual(["m3 b"]);
});

test("the blobs of a tool's result count, too", async () => {
  const db = open();
  const result = { kind: "tool_result", callId: "c", outcome: "succeeded", text: "t" } as const;
  const shown = { sha256: A, mediaType: "image/png", sizeBytes: 1 };
  await db.transact([
    insertMessage(1, { ...messageOf("m1", { ...result, blob: B, images: [shown] }), role: "tool" }, 1),
  ]);
  expect(await references(db)).toEqual(["m1 a", "m1 b"]);
});

test("what a model says or asks for refers to nothing, whatever it looks like", async () => {
  const db = open();
  const call = { kind: "tool_call", callId: "c", providerCallId: "p", name: "n" } as const;
  const parts: Part[] = [
    said(`{"kind":"image","sha256":"${A}"}`),
    { ...call, arguments: { kind: "image", sha256: A, blob: B, images: [{ sha256: C }] } },
    { kind: "tool_result", callId: "c", outcome: "succeeded", text: `"sha256":"${A}","blob":"${B}"` },
  ];
  await db.transact([insertMessage(1, messageOf("m1", ...parts), 1)]);
  expect(await references(db)).toEqual([]);
});

test("a queued message keeps its blobs until it is taken up, and then its message does", async () => {
  const db = open();
  await db.transact([
    {
      sql: `INSERT INTO queued_messages (id, session_key, session_id, kind, framing, position, parts, actor, create_time_ms)
        VALUES ('queued_1', 1, 'ses_1', 'steer', 'plain', 1, ?, '', 0)`,
      params: [JSON.stringify([image(A)])],
    },
  ]);
  expect(await references(db)).toEqual(["queued_1 a"]);
  await db.transact([
    { sql: "DELETE FROM queued_messages WHERE id = 'queued_1'", params: [] },
    insertMessage(1, messageOf("m1", image(A)), 1),
  ]);
  expect(await references(db)).toEqual(["m1 a"]);
});

test("a blob is swept when nothing refers to it, and not before", async () => {
  const db = open();
  const blob = { sha256: A, sizeBytes: 1, contentType: "image/png" };
  await db.transact([insertBlob(blob, 0), insertMessage(1, messageOf("m1", image(A)), 1), referToBlob(A, "change_1")]);
  const old = async (): Promise<number> => (await db.all(selectBlobsBefore(1))).length;
  expect(await old()).toBe(0);
  await expect(db.transact([deleteBlob(A, 1)])).rejects.toThrow(ClaimLost);
  await db.transact([{ sql: "DELETE FROM messages", params: [] }]);
  expect(await old()).toBe(0);
  await db.transact([forgetReferences("change_1")]);
  expect(await old()).toBe(1);
  await db.transact([deleteBlob(A, 1)]);
  expect(await old()).toBe(0);
});
