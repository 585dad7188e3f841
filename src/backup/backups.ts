import type { AuditLog } from "../audit/audit-log.ts";
import { DomainError } from "../errors.ts";
import { type Backup, type BackupSource, backupsFolder, makeBackup, removePartialBackups } from "./make-backup.ts";

/** Backups of a running engine, one at a time. */
export interface Backups {
  /** Throws DomainError precondition `BACKUP_RUNNING`, exhausted `STORAGE_FULL`, unavailable `STORAGE_FAILED`, `ENGINE_STOPPING`. */
  create(actor: string): Promise<Backup>;
  /** Gives up the one that is being made; resolves when nothing is left of it. */
  close(): Promise<void>;
}

/** Only with the data directory's lock: what a killed engine left of a backup is removed. */
export function createBackups(source: BackupSource & { readonly audit: Pick<AuditLog, "add"> }): Backups {
  const folder = backupsFolder(source.dataDir);
  const stop = new AbortController();
  let running: Promise<unknown> | undefined;
  removePartialBackups(folder);

  return {
    async create(actor) {
      stop.signal.throwIfAborted();
      if (running !== undefined) {
        throw new DomainError("precondition", "BACKUP_RUNNING", "another backup is being made; wait for its end");
      }
      const making = makeBackup(source, folder, stop.signal);
      running = making.catch(() => undefined).then(() => (running = undefined));
      const backup = await making;
      const { path, bytes, auditHead } = backup;
      const detail = { bytes, ...(auditHead !== undefined && { audit_head: auditHead }) };
      await source.audit.add({ action: "BACKUP_CREATED", actor, target: path, detail }, { essential: true });
      return backup;
    },
    async close() {
      stop.abort(new DomainError("unavailable", "ENGINE_STOPPING", "the engine is stopping; the backup was given up"));
      await running;
    },
  };
}
