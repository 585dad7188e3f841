import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Database, Statement } from "../store/database.ts";
import { openSqlite } from "../store/sqlite.ts";
import { dropAllDrafts } from "./draft-store.ts";

let folder: string;
let db: Database;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "parley-drafts-"));
  db = openSqlite(join(folder, "parley.db"));
});
afterEach(async () => {
  await db.close();
  rmSync(folder, { recursive: true });
});

/** What a transaction adds to the files of the store. */
async function writtenBytes(statements: readonly Statement[]): Promise<number> {
  const before = await db.size();
  await db.transact(statements);
  return (await db.size()) - before;
}

test("a start that finds no drafts writes nothing", async () => {
  expect(await writtenBytes(dropAllDrafts())).toBe(0);
});

test("control: without a condition it writes", async () => {
  expect(await writtenBytes([{ sql: "DELETE FROM draft_sessions", params: [] }])).toBeGreaterThan(0);
});
