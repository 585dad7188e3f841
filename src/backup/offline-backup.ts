import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import Sqlite from "better-sqlite3";
import { formatEnd } from "../audit/chain.ts";
import { hasAuditLog } from "../audit/write-offline.ts";
import type { Clock } from "../clock.ts";
import { lockDataDir } from "../data-dir.ts";
import { DomainError } from "../errors.ts";
import type { CopyProgress } from "../store/database.ts";
import { copyDatabase } from "../store/copy-database.ts";
import { checkIdentity, storeVersion } from "../store/migrate.ts";
import { type Backup, makeBackup, removePartialBackups } from "./make-backup.ts";
import { STORE } from "./manifest.ts";
import { undoCutOffSwap } from "./swap-store.ts";

export interface OfflineBackup {
  readonly dataDir: string;
  /** The folder to make it in. */
  readonly parent: string;
  readonly version: string;
  readonly clock: Clock;
}

/**
 * Makes a backup of a store whose engine is stopped, with its lock, without changing it.
 * @throws DomainError `STORE_NOT_FOUND`, `DATA_DIR_LOCKED`, `STORE_FOREIGN`, `STORE_NEWER`, and what `makeBackup` throws.
 */
export async function makeOfflineBackup({ dataDir, parent, version, clock }: OfflineBackup): Promise<Backup> {
  const file = join(dataDir, STORE);
  if (!existsSync(file)) {
    throw new DomainError(
      "not_found",
      "STORE_NOT_FOUND",
      `there is no store in ${dataDir}; name another with --data-dir`,
    );
  }
  const unlock = lockDataDir(dataDir);
  try {
    undoCutOffSwap(dataDir);
    removePartialBackups(parent);
    const db = new Sqlite(file, { readonly: true });
    try {
      checkIdentity(db);
      const source = {
        dataDir,
        version,
        clock,
        schemaVersion: storeVersion(db),
        logEpoch: readLogEpoch(db),
        auditHead: async () => readAuditHead(db),
        storeBytes: async () => statSync(file).size,
        copyStore: (target: string, progress: CopyProgress) => copyDatabase(db, target, progress),
      };
      return await makeBackup(source, parent);
    } finally {
      db.close();
    }
  } finally {
    unlock();
  }
}

function readLogEpoch(db: InstanceType<typeof Sqlite>): string {
  return db.prepare<[], string>("SELECT value FROM meta WHERE name = 'log_epoch'").pluck().get() ?? "";
}

function readAuditHead(db: InstanceType<typeof Sqlite>): string | undefined {
  if (!hasAuditLog(db)) return undefined;
  const head = db
    .prepare<[], { seq: number; hash: Buffer }>("SELECT seq, hash FROM audit_ends WHERE name = 'head'")
    .get();
  return head && formatEnd(head);
}
