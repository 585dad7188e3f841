import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import Sqlite from "better-sqlite3";
import type BetterSqlite3 from "better-sqlite3";
import { formatEnd, parseEnd } from "../audit/chain.ts";
import { chainOf } from "../audit/read-chain.ts";
import { type KnownEnd, type Verified, verifyChain } from "../audit/verify-chain.ts";
import { hasAuditLog } from "../audit/write-offline.ts";
import { backupsFolder } from "../backup/make-backup.ts";
import { readManifest } from "../backup/manifest.ts";
import { DomainError, invalidField } from "../errors.ts";
import { checkIdentity } from "../store/migrate.ts";
import { failed, type Finding, ok, some } from "./finding.ts";

/** Follows the audit log of a store that is open, and compares it with what its backups say of it. */
export function checkAudit(db: BetterSqlite3.Database, dataDir: string): Finding {
  const { count, end, problems } = verifyOpened(db, dataDir, []);
  if (problems.length > 0) return failed("audit log", some(problems));
  return ok("audit log", `${count.toLocaleString("en-US")} entries, the last is ${formatEnd(end)}`);
}

/**
 * Follows the audit log of a store from end to end; an engine may be using it. `heads` are ends that somebody knows from elsewhere,
 * as the log of a stop and the manifest of a backup name them.
 * @throws DomainError `STORE_NOT_FOUND`, `STORE_FOREIGN`, `STORE_NEWER`, `INVALID_FIELD`.
 */
export function verifyAudit(dataDir: string, heads: readonly string[]): Verified {
  const known = heads.map((text): KnownEnd => {
    const end = parseEnd(text);
    if (end !== undefined) return { ...end, where: "--head" };
    throw invalidField(
      "--head",
      `${text} is no end of an audit log; it looks like 12:9f86d0… with 64 hexadecimal digits`,
    );
  });
  const file = join(dataDir, "parley.db");
  if (!existsSync(file)) throw noAuditLog(`there is no store in ${dataDir}; name another with --data-dir`);
  const db = new Sqlite(file, { readonly: true });
  try {
    checkIdentity(db);
    if (!hasAuditLog(db))
      throw noAuditLog(`the store in ${dataDir} has none yet; the next start of the engine makes it`);
    // All of one moment, whatever is written meanwhile.
    db.exec("BEGIN");
    return verifyOpened(db, dataDir, known);
  } finally {
    db.close();
  }
}

function verifyOpened(db: BetterSqlite3.Database, dataDir: string, known: readonly KnownEnd[]): Verified {
  return verifyChain({ ...chainOf(db), known: [...known, ...endsInBackups(db, dataDir)] });
}

/** What the backups beside the store say of its audit log. Those of before a restore tell of another one. */
function endsInBackups(db: BetterSqlite3.Database, dataDir: string): readonly KnownEnd[] {
  const logEpoch = db.prepare<[], string>("SELECT value FROM meta WHERE name = 'log_epoch'").pluck().get();
  const folder = backupsFolder(dataDir);
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => !name.startsWith(".")) : [];
  return names.flatMap((name) => {
    const manifest = readIfWhole(join(folder, name));
    const end = manifest?.logEpoch === logEpoch ? parseEnd(manifest?.auditHead ?? "") : undefined;
    return end === undefined ? [] : [{ ...end, where: `the backup ${name}` }];
  });
}

/** A folder that is no backup, or a damaged one, says nothing. */
function readIfWhole(folder: string) {
  try {
    return readManifest(folder);
  } catch (error) {
    if (error instanceof DomainError) return undefined;
    throw error;
  }
}

function noAuditLog(message: string): DomainError {
  return new DomainError("not_found", "STORE_NOT_FOUND", message);
}
