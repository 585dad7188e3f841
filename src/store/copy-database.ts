import { open } from "node:fs/promises";
import type BetterSqlite3 from "better-sqlite3";
import type { CopyProgress } from "./database.ts";

/** 256 KiB: about a millisecond in which nobody else gets a turn. */
const PAGES_PER_STEP = 64;

/** So much is written before it is synced, elsewhere, so that the end does not wait for all of it at once. */
const STEPS_PER_SYNC = 32;

/**
 * Copies a database of one moment into an empty file, in steps between which everybody else gets a turn. What is written to
 * it meanwhile through the same connection is in the copy.
 */
export async function copyDatabase(
  db: BetterSqlite3.Database,
  file: string,
  { check, onMoment }: CopyProgress,
): Promise<void> {
  const handle = await open(file, "r+");
  let syncing: Promise<void> | undefined;
  let failure: unknown;
  let steps = 0;
  try {
    await db.backup(file, {
      progress() {
        if (failure !== undefined) throw failure;
        check();
        if (++steps % STEPS_PER_SYNC === 0) {
          syncing ??= handle
            .datasync()
            .catch((error: unknown) => (failure = error))
            .then(() => (syncing = undefined));
        }
        return PAGES_PER_STEP;
      },
    });
    // Before anybody else gets a turn after the last step.
    onMoment();
    await syncing;
    await handle.datasync();
  } finally {
    await syncing;
    await handle.close();
  }
}
