import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Sqlite from "better-sqlite3";
import { expect, test } from "vitest";
import { describeDatabase } from "./database-contract.ts";
import { openSqlite } from "./sqlite.ts";

describeDatabase("sqlite in memory", async () => openSqlite(":memory:"));
describeDatabase("sqlite on the disk", async () => openSqlite(freshPath()));

function freshPath(): string {
  return join(mkdtempSync(join(tmpdir(), "parley-store-")), "parley.db");
}

async function makeStore(): Promise<string> {
  const path = freshPath();
  await openSqlite(path).close();
  return path;
}

test("a commit is on the disk when it resolves: synchronous is FULL", async () => {
  const db = openSqlite(freshPath());
  expect(await db.get({ sql: "PRAGMA synchronous", params: [] })).toEqual({ synchronous: 2 });
  expect(await db.get({ sql: "PRAGMA journal_mode", params: [] })).toEqual({ journal_mode: "wal" });
  await db.close();
});

test("a store written by a newer engine is refused and left as it is", async () => {
  const path = await makeStore();
  const raw = new Sqlite(path);
  raw.pragma("user_version = 999");
  raw.pragma("wal_checkpoint(TRUNCATE)");
  raw.close();
  const before = readFileSync(path);
  expect(() => openSqlite(path)).toThrow(expect.objectContaining({ reason: "STORE_NEWER" }));
  expect(readFileSync(path).equals(before)).toBe(true);
});

test("a newer store that its engine left in a hurry is refused and left as it is", async () => {
  const path = await makeStore();
  const raw = new Sqlite(path);
  raw.pragma("user_version = 999");
  const left = freshPath();
  for (const suffix of ["", "-wal"]) copyFileSync(path + suffix, left + suffix);
  raw.close();
  const before = ["", "-wal"].map((suffix) => readFileSync(left + suffix));
  expect(() => openSqlite(left)).toThrow(expect.objectContaining({ reason: "STORE_NEWER" }));
  expect(["", "-wal"].map((suffix) => readFileSync(left + suffix))).toEqual(before);
});

test("another program's database is refused and left as it is", () => {
  const path = freshPath();
  const raw = new Sqlite(path);
  raw.exec("CREATE TABLE theirs (x)");
  raw.close();
  const before = readFileSync(path);
  expect(() => openSqlite(path)).toThrow(expect.objectContaining({ reason: "STORE_FOREIGN" }));
  expect(readFileSync(path).equals(before)).toBe(true);
});

test("damage that shows only when something is written is told as what it is", async () => {
  const path = await makeStore();
  const bytes = readFileSync(path);
  // The second page is the first table's; the first one holds the schema.
  writeFileSync(path, bytes.fill(0x5a, 4096, 8192));
  const db = openSqlite(path);
  const write = { sql: "INSERT INTO meta (name, value) VALUES ('a', 'b')", params: [] };
  await expect(db.transact([write])).rejects.toMatchObject({ code: "unavailable", reason: "STORE_DAMAGED" });
  await db.close();
});

test("a database that cannot be opened is refused by name", () => {
  const path = freshPath();
  mkdirSync(path);
  expect(() => openSqlite(path)).toThrow(
    expect.objectContaining({ reason: "STORAGE_FAILED", message: expect.stringContaining(path) as string }),
  );
});

test.each([
  ["a file that is no database", () => Buffer.from("this is not a database, whatever its name says".repeat(200))],
  ["a database whose first page is overwritten", (bytes: Buffer) => bytes.fill(0x5a, 0, 2000)],
  ["a database that was cut off", (bytes: Buffer) => bytes.subarray(0, Math.floor(bytes.length / 3))],
])("%s is refused by name and left as it is", async (_name, damage) => {
  const path = await makeStore();
  const damaged = damage(readFileSync(path));
  writeFileSync(path, damaged);
  expect(() => openSqlite(path)).toThrow(
    expect.objectContaining({ reason: "STORE_DAMAGED", message: expect.stringContaining(path) as string }),
  );
  expect(readFileSync(path).equals(damaged)).toBe(true);
});
