import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { afterEach, describe, expect, test } from "vitest";
import { badImports, goodLines } from "../../../test/helpers/bad-imports.ts";
import { createFakeClock } from "../../../test/helpers/fake-clock.ts";
import type { BlobStore } from "../../blob/blob-store.ts";
import { blobNotFound } from "../../blob/blob.ts";
import { newId } from "../../id.ts";
import { createIdempotency } from "../../idempotency/idempotency.ts";
import { createInTurn } from "../../in-turn.ts";
import { encodePayload } from "../../rpc/event-codec.ts";
import type { Database } from "../../store/database.ts";
import { openSqlite } from "../../store/sqlite.ts";
import { exportSessions } from "./export-sessions.ts";
import { importSessions } from "./import-sessions.ts";
import { createRemovedSessions } from "../removed-sessions.ts";
import { createSessionDrafts } from "../session-draft.ts";

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

function onBug(what: string, error: unknown): void {
  throw new Error(what, { cause: error });
}

function setUp() {
  const db = openSqlite(":memory:");
  closers.push(() => db.close());
  const clock = createFakeClock();
  const removed = createRemovedSessions(db, onBug);
  closers.push(() => removed.close());
  const drafts = createSessionDrafts({ db, clock, encode: encodePayload, removed, checkRunning: () => {}, onBug });
  const files = new Map<string, Buffer>();
  const blobs: Pick<BlobStore, "get" | "read"> = {
    get: async (sha256) => {
      const bytes = files.get(sha256);
      if (bytes === undefined) throw blobNotFound(sha256);
      return { sha256, sizeBytes: bytes.length, contentType: "" };
    },
    read: async ({ sha256 }) => Readable.from([files.get(sha256) ?? Buffer.alloc(0)]),
  };
  const idempotency = createIdempotency(db, clock);
  const deps = {
    db,
    clock,
    newId,
    idempotency,
    drafts,
    blobs: blobs as BlobStore,
    importInTurn: createInTurn(),
    defaultMode: "default" as const,
  };
  const put = (bytes: Buffer): string => {
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    files.set(sha256, bytes);
    return sha256;
  };
  const read = (...pieces: (string | Buffer)[]) =>
    importSessions(deps, {
      idempotencyKey: "",
      blobs: pieces.map((piece) => put(Buffer.from(piece))),
      actor: "me",
    });
  const write = async (): Promise<string> => {
    let file = "";
    for await (const piece of exportSessions(deps, [], "me")) file += Buffer.from(piece).toString();
    return file;
  };
  const left = async (): Promise<number[]> => {
    while ((await count(db, "removed_sessions")) > 0) await new Promise((resolve) => setImmediate(resolve));
    return Promise.all(
      ["sessions", "draft_sessions", "messages", "events", "imports"].map((table) => count(db, table)),
    );
  };
  return { db, read, write, left, removed };
}

async function count(db: Database, table: string): Promise<number> {
  return (await db.get<{ n: number }>({ sql: `SELECT count(*) AS n FROM ${table}`, params: [] }))?.n ?? 0;
}

describe("what is no export is refused, names its line, and leaves nothing:", () => {
  test.each(badImports)("$what", async ({ file, line }) => {
    const { read, left } = setUp();
    const error = await read(file).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ code: "invalid", reason: "INVALID_IMPORT", metadata: { line: String(line) } });
    expect(await left()).toEqual([0, 0, 0, 0, 0]);
  });
});

test("a file that is cut off at any byte is refused, and leaves nothing", async () => {
  const bytes = Buffer.from(goodLines.map((line) => `${line}\n`).join(""));
  const { read, left } = setUp();
  // The last line end alone may be missing.
  for (let end = 0; end < bytes.length - 1; end += 7) {
    await expect(read(bytes.subarray(0, end))).rejects.toMatchObject({ reason: "INVALID_IMPORT" });
  }
  expect(await left()).toEqual([0, 0, 0, 0, 0]);
  await read(bytes.subarray(0, bytes.length - 1));
});

test("line ends of another system, empty lines and a byte order mark change nothing", async () => {
  const { read, write } = setUp();
  expect(await read(`\uFEFF${goodLines.join("\r\n\r\n")}`)).toMatchObject({ sessionCount: 2, messageCount: 4 });
  expect(await write()).toBe(goodLines.map((line) => `${line}\n`).join(""));
});

test("ids that are taken are replaced, and nothing else", async () => {
  const { read, write } = setUp();
  const file = goodLines.map((line) => `${line}\n`).join("");
  await read(file);
  const { renamed, sessionIds } = await read(file);
  expect(renamed.map(({ from }) => from)).toEqual(["ses_a", "ses_b"]);
  expect(renamed.map(({ to }) => to)).toEqual(sessionIds);
  const lines = (await write()).trim().split("\n");
  const own = (from: number) =>
    lines.slice(from).map((line) => line.replace(/^\{"(session|message)":\{"id":"[^"]+"/, '{"$1":{"id":""'));
  // Both are of one time: the order of making decides.
  const half = (lines.length - 2) / 2;
  expect(
    own(1)
      .slice(half, 2 * half)
      .toSorted(),
  ).toEqual(own(1).slice(0, half).toSorted());
});

test("a message that comes twice is found out also where its id is taken", async () => {
  const { read, left } = setUp();
  const file = goodLines.map((line) => `${line}\n`).join("");
  await read(file);
  const twice = goodLines.map((line, i) => (i === 3 ? goodLines[2] : line)).join("\n");
  await expect(read(twice)).rejects.toMatchObject({ reason: "INVALID_IMPORT", metadata: { line: "4" } });
  expect(await left()).toEqual([2, 0, 4, 4, 0]);
});

test("files that are imported at once, the same one too, are all there", async () => {
  const { read, left } = setUp();
  const file = goodLines.join("\n");
  const all = await Promise.all([read(file), read(file), read(file)]);
  expect(new Set(all.flatMap(({ sessionIds }) => sessionIds)).size).toBe(6);
  expect(await left()).toEqual([6, 0, 12, 12, 0]);
});
