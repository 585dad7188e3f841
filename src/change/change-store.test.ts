import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createFakeClock, type FakeClock } from "../../test/helpers/fake-clock.ts";
import { type BlobStore, createBlobStore } from "../blob/blob-store.ts";
import { writeBytes } from "../blob/write-bytes.ts";
import type { Database } from "../store/database.ts";
import { openSqlite } from "../store/sqlite.ts";
import { deleteChange, setChangeMade, setChangesUndone } from "./change-store.ts";

let folder: string;
let db: Database;
let clock: FakeClock;
let blobs: BlobStore;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "parley-changes-"));
  db = openSqlite(":memory:");
  clock = createFakeClock();
  blobs = createBlobStore(join(folder, "blobs"), db, clock);
});
afterEach(async () => {
  await db.close();
  await rm(folder, { recursive: true });
});

const keep = async (text: string): Promise<string> => (await writeBytes(blobs, Buffer.from(text), "text/plain")).sha256;

const insertKept = (id: string, before: string) =>
  db.transact([
    {
      sql: `INSERT INTO file_changes (id, session_key, turn_id, call_id, path, before_sha256, before_mode, after_sha256,
        new_folders, state, undone_seq, diff_sha256) VALUES (?, 1, 't', 'c', 'a', ?, 420, '', 0, 'begun', 0, '')`,
      params: [id, before],
    },
  ]);

/** Which of these are there after a sweep two days later. */
async function left(...hashes: readonly string[]): Promise<boolean[]> {
  await clock.advance(48 * 60 * 60_000);
  await blobs.sweep();
  return Promise.all(
    hashes.map((sha256) =>
      blobs.get(sha256).then(
        () => true,
        () => false,
      ),
    ),
  );
}

test("what a file was, and a large diff, are kept as long as the change is known; control: what nothing refers to is not", async () => {
  const [before, diff, other] = [await keep("before"), await keep("diff"), await keep("other")];
  await insertKept("chg_1", before);
  await db.transact([setChangeMade("chg_1", diff)]);
  expect(await left(before, diff, other)).toEqual([true, true, false]);
  await db.transact([deleteChange("chg_1")]);
  expect(await left(before, diff)).toEqual([false, false]);
});

test("what was taken back is not kept any more, its diff is", async () => {
  const [before, diff] = [await keep("before"), await keep("diff")];
  await insertKept("chg_1", before);
  await db.transact([setChangeMade("chg_1", diff)]);
  await db.transact([setChangesUndone(["chg_1"], 7)]);
  expect(await left(before, diff)).toEqual([false, true]);
});

test("what two changes refer to stays until the last of them is gone", async () => {
  const before = await keep("before");
  await insertKept("chg_1", before);
  await insertKept("chg_2", before);
  await db.transact([deleteChange("chg_1")]);
  expect(await left(before)).toEqual([true]);
  await db.transact([deleteChange("chg_2")]);
  expect(await left(before)).toEqual([false]);
});
