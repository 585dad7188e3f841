import { closeSync, fdatasyncSync, openSync } from "node:fs";
import type BetterSqlite3 from "better-sqlite3";
import type { CopyProgress } from "./database.ts";

/** 256 KiB: about a millisecond in which nobody else gets a turn. */
const PAGES_PER_STEP = 64;

/**
 * 1 MiB is written before it is synced. Left to the end, or to another thread while the copy goes on, so much would wait for
 * the disk that every commit of a turn waited behind it.
 */
const STEPS_PER_SYNC = 4;

/**
 * Copies a database of one moment into an empty file, in steps between which everybody else gets a turn. What is written to
 * it meanwhile through the same connection is in the copy.
 */
export async function copyDatabase(
  db: BetterSqlite3.Database,
  file: string,
  { check, onMoment }: CopyProgress,
): Promise<void> {
  const descriptor = openSync(file, "r+");
  let steps = 0;
  try {
    await db.backup(file, {
      progress() {
        check();
        if (++steps % STEPS_PER_SYNC === 0) fdatasyncSync(descriptor);
        return PAGES_PER_STEP;
      },
    });
    // Before anybody else gets a turn after the last step, which has synced what was left.
    onMoment();
  } finally {
    closeSync(descriptor);
  }
}
