import { existsSync } from "node:fs";
import { join } from "node:path";
import Sqlite from "better-sqlite3";
import type BetterSqlite3 from "better-sqlite3";
import { DomainError } from "../errors.ts";
import { findDamage } from "../store/integrity.ts";
import { checkIdentity, SCHEMA_VERSION, storeVersion } from "../store/migrate.ts";
import { checkAudit } from "./audit-checks.ts";
import { checkBlobs, listBlobFiles } from "./blob-checks.ts";
import { failed, type Finding, ok, some } from "./finding.ts";
import { checkLogs, type ReadEvent } from "./log-checks.ts";

const RESTORE = "bring a backup back with `parley restore DIR`";

/** Looks through the store, without changing it; an engine may be using it. */
export function checkStore(dataDir: string, readEvent: ReadEvent): readonly Finding[] {
  const file = join(dataDir, "parley.db");
  if (!existsSync(file)) return [ok("store", "there is none yet; the first start makes it")];
  const blobFiles = listBlobFiles(dataDir);
  let db: BetterSqlite3.Database | undefined;
  try {
    db = new Sqlite(file, { readonly: true });
    // All of one moment, whatever is written meanwhile.
    db.exec("BEGIN");
    return checkOpened(db, { dataDir, readEvent, blobFiles });
  } catch (error) {
    if (!(error instanceof Sqlite.SqliteError)) throw error;
    return [failed("store", `${file} cannot be read (${error.message}); ${RESTORE}`)];
  } finally {
    db?.close();
  }
}

interface Beside {
  readonly dataDir: string;
  readonly readEvent: ReadEvent;
  readonly blobFiles: ReadonlySet<string>;
}

function checkOpened(db: BetterSqlite3.Database, { dataDir, readEvent, blobFiles }: Beside): readonly Finding[] {
  try {
    checkIdentity(db);
  } catch (error) {
    if (error instanceof DomainError) return [failed("store", error.message)];
    throw error;
  }
  const version = storeVersion(db);
  const damage = findDamage(db);
  const integrity =
    damage.length === 0
      ? ok("integrity", "every page of the database is sound")
      : failed("integrity", `the database is damaged: ${some(damage)}; ${RESTORE}`);
  const store = ok("store", `schema ${version} of ${SCHEMA_VERSION}`);
  if (damage.length > 0) return [store, integrity];
  // The tables of another version are not what the checks below know.
  if (version < SCHEMA_VERSION)
    return [ok("store", `schema ${version}; the next start brings it to ${SCHEMA_VERSION}`), integrity];
  return [store, integrity, ...checkLogs(db, readEvent), checkBlobs(db, dataDir, blobFiles), checkAudit(db, dataDir)];
}
