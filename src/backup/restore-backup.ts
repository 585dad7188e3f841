import { randomUUID } from "node:crypto";
import { rmSync } from "node:fs";
import { copyFile, mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import Sqlite from "better-sqlite3";
import { hasAuditLog, writeOffline } from "../audit/write-offline.ts";
import type { Clock } from "../clock.ts";
import { lockDataDir, makePrivate, openDataDir } from "../data-dir.ts";
import { syncFolder } from "../durable-file.ts";
import { DomainError } from "../errors.ts";
import { findDamage } from "../store/integrity.ts";
import { checkIdentity } from "../store/migrate.ts";
import { sync } from "./blob-files.ts";
import { freeName } from "./make-backup.ts";
import { backupInvalid, hashFile, type Manifest, readManifest, STORE } from "./manifest.ts";
import { swapStore, undoCutOffSwap } from "./swap-store.ts";

export interface Restored {
  readonly manifest: Manifest;
  /** Where the store that was there before is now. */
  readonly aside: string;
  /** The new identity of the logs. */
  readonly logEpoch: string;
}

/**
 * Puts a backup in the place of a data directory's store. It is copied and looked through before anything is touched; its
 * logs get a new identity, so that no client goes on with numbers that may now mean something else.
 * @throws DomainError `DATA_DIR_LOCKED`, `DATA_DIR_UNUSABLE`, `BACKUP_INVALID`, `STORE_NEWER`, `STORE_FOREIGN`, `STORAGE_FULL`;
 * the old store is in place then.
 */
export async function restoreBackup(backup: string, dataDir: string, clock: Clock): Promise<Restored> {
  const manifest = readManifest(backup);
  openDataDir(dataDir);
  const unlock = lockDataDir(dataDir);
  const staged = join(dataDir, ".restore.partial");
  try {
    undoCutOffSwap(dataDir);
    rmSync(staged, { recursive: true, force: true });
    await stage(backup, manifest, staged);
    const logEpoch = randomUUID();
    renew(join(staged, STORE), { backup, logEpoch, timeMs: clock.now() });
    await syncStaged(staged, manifest);
    const aside = join(dataDir, freeName(dataDir, clock.now(), "before-restore-"));
    swapStore(dataDir, staged, aside);
    return { manifest, aside, logEpoch };
  } catch (error) {
    throw refusal(error);
  } finally {
    rmSync(staged, { recursive: true, force: true });
    unlock();
  }
}

/** Copies a backup's files, and compares them with what they were when it was made. */
async function stage(backup: string, manifest: Manifest, staged: string): Promise<void> {
  await mkdir(staged, { mode: 0o700 });
  for (const { path, bytes, sha256 } of manifest.files) {
    const target = join(staged, path);
    await mkdir(dirname(target), { recursive: true, mode: 0o700 });
    makePrivate(target);
    await copyFile(join(backup, path), target).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOENT") throw error;
      throw backupInvalid(`the backup ${backup} is not whole: ${path} is missing; take another one`);
    });
    const found = await hashFile(target);
    if (found.bytes === bytes && found.sha256 === sha256) continue;
    throw backupInvalid(`${path} of the backup ${backup} is not what it was when it was made; take another one`);
  }
}

/** Looks through the copy, gives its logs a new identity, and writes down in its audit log that it was brought back. */
function renew(
  file: string,
  { backup, logEpoch, timeMs }: { readonly backup: string; readonly logEpoch: string; readonly timeMs: number },
): void {
  const db = new Sqlite(file);
  try {
    checkIdentity(db);
    const damage = findDamage(db);
    if (damage.length > 0) throw backupInvalid(`the store in ${backup} is damaged (${damage[0]}); take another backup`);
    const { changes } = db.prepare("UPDATE meta SET value = ? WHERE name = 'log_epoch'").run(logEpoch);
    if (changes !== 1) throw backupInvalid(`the store in ${backup} has no log_epoch; take another backup`);
    const detail = { log_epoch: logEpoch };
    if (hasAuditLog(db)) writeOffline(db, { action: "STORE_RESTORED", timeMs, actor: "", target: backup, detail });
    db.pragma("wal_checkpoint(TRUNCATE)");
  } finally {
    db.close();
  }
}

async function syncStaged(staged: string, manifest: Manifest): Promise<void> {
  const paths = manifest.files.map(({ path }) => join(staged, path));
  for (const path of paths) await sync(path);
  for (const folder of new Set([...paths.map((path) => dirname(path)), staged])) syncFolder(folder);
}

function refusal(error: unknown): unknown {
  const { code } = error as { code?: string };
  if (error instanceof DomainError || !/^(ENOSPC|EDQUOT|SQLITE_FULL)$/.test(code ?? "")) return error;
  const message =
    "there is no room for the backup beside the store that is there; free some space. Nothing was changed";
  return new DomainError("exhausted", "STORAGE_FULL", message, {}, { cause: error });
}
