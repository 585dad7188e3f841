import type BetterSqlite3 from "better-sqlite3";
import { DomainError } from "../errors.ts";
import { titleWords } from "../words.ts";
import { core } from "./migrations/0001-core.ts";
import { queue } from "./migrations/0002-queue.ts";
import { sessions } from "./migrations/0003-sessions.ts";
import { find } from "./migrations/0004-find.ts";
import { history } from "./migrations/0005-history.ts";
import { blobs } from "./migrations/0006-blobs.ts";
import { tokens } from "./migrations/0007-tokens.ts";
import { findDrafts } from "./migrations/0008-find-drafts.ts";
import { requests } from "./migrations/0009-requests.ts";
import { permissions } from "./migrations/0010-permissions.ts";
import { workspaces } from "./migrations/0012-workspaces.ts";
import { gate } from "./migrations/0013-gate.ts";
import { fileChanges } from "./migrations/0014-file-changes.ts";
import { attachments } from "./migrations/0015-attachments.ts";
import { audit } from "./migrations/0017-audit.ts";
import { agents } from "./migrations/0018-agents.ts";
import { newestSchema } from "./newest-schema.ts";

/** "PRLY": marks the file as ours, so that no other program's database is ever touched. */
const APPLICATION_ID = 0x50524c59;

/** In order; the number of each is its place, from 1. Entries are never changed once released, only added. */
const MIGRATIONS: readonly string[] = [
  core,
  queue,
  sessions,
  find,
  history,
  blobs,
  tokens,
  findDrafts,
  requests,
  permissions,
  workspaces,
  gate,
  fileChanges,
  attachments,
  audit,
  agents,
];

/** The version of the schema that this engine brings a database to. */
export const SCHEMA_VERSION = MIGRATIONS.length;

/** Refuses a file that is not Parley's or was written by a newer engine. Throws DomainError `STORE_FOREIGN`, `STORE_NEWER`. */
export function checkIdentity(db: BetterSqlite3.Database): void {
  const applicationId = db.pragma("application_id", { simple: true }) as number;
  const version = storeVersion(db);
  const isNew = applicationId === 0 && version === 0 && countTables(db) === 0;
  if (!isNew && applicationId !== APPLICATION_ID) {
    throw new DomainError(
      "unavailable",
      "STORE_FOREIGN",
      `${db.name} is not a database of parley, and nothing was changed; name another directory with --data-dir`,
    );
  }
  if (version > MIGRATIONS.length) {
    throw new DomainError(
      "unavailable",
      "STORE_NEWER",
      `the database ${db.name} has version ${version}, this engine knows up to ${MIGRATIONS.length}, and nothing was changed; start the newer engine`,
    );
  }
}

/** Brings the database to the newest schema. */
export function migrate(db: BetterSqlite3.Database): void {
  if (storeVersion(db) === 0) inTransaction(db, newestSchema, MIGRATIONS.length);
  else runMigrations(db);
}

/** Does what the database lacks, each migration in a transaction of its own. A new one comes to the same at once, by `newestSchema`. */
export function runMigrations(db: BetterSqlite3.Database): void {
  const version = storeVersion(db);
  // For migrations alone: what is kept in the schema must work without the engine.
  db.function("title_words", { deterministic: true }, (title) => titleWords(String(title)));
  for (const [index, sql] of MIGRATIONS.entries()) if (index >= version) inTransaction(db, sql, index + 1);
}

function inTransaction(db: BetterSqlite3.Database, sql: string, version: number): void {
  db.exec("BEGIN IMMEDIATE");
  db.exec(sql);
  db.pragma(`application_id = ${APPLICATION_ID}`);
  db.pragma(`user_version = ${version}`);
  db.exec("COMMIT");
}

/** The version of a database's schema; 0 = an empty file. */
export function storeVersion(db: BetterSqlite3.Database): number {
  return db.pragma("user_version", { simple: true }) as number;
}

function countTables(db: BetterSqlite3.Database): number {
  return db.prepare("SELECT count(*) FROM sqlite_schema").pluck().get() as number;
}
