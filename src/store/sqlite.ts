import { existsSync, statSync } from "node:fs";
import Sqlite from "better-sqlite3";
import type BetterSqlite3 from "better-sqlite3";
import { systemClock, type Clock } from "../clock.ts";
import { DomainError } from "../errors.ts";
import { createBallast } from "./ballast.ts";
import { createCommitter } from "./committer.ts";
import { copyDatabase } from "./copy-database.ts";
import {
  ClaimLost,
  type Database,
  type Query,
  type Row,
  type Sealing,
  type Statement,
  type Transaction,
} from "./database.ts";
import { checkIdentity, migrate } from "./migrate.ts";

/** Page cache, in KiB: indexes of a large store stay in memory, and an idle engine stays small. */
const CACHE_KIB = 16 * 1024;

/** Source: the measurements in docs/decisions.md. FULL, because a commit that is acknowledged must outlive a power cut. */
const SETTINGS = [
  "journal_mode = WAL",
  "synchronous = FULL",
  "busy_timeout = 5000",
  "foreign_keys = ON",
  "wal_autocheckpoint = 4000",
  "trusted_schema = OFF",
  `cache_size = -${CACHE_KIB}`,
] as const;

/**
 * Opens (or makes) the database file; ":memory:" for tests. Throws DomainError `STORE_DAMAGED`, `STORE_NEWER` or
 * `STORE_FOREIGN` without having changed the file.
 */
export function openSqlite(path: string, clock: Clock = systemClock): Database {
  const db = openChecked(path);
  const ballast = path === ":memory:" ? undefined : createBallast(`${path}.ballast`);
  const prepared = new Map<string, BetterSqlite3.Statement>();
  let sealing: Sealing | undefined;

  function prepare(sql: string): BetterSqlite3.Statement {
    let statement = prepared.get(sql);
    if (statement === undefined) {
      statement = db.prepare(sql);
      prepared.set(sql, statement);
    }
    return statement;
  }

  function run(statement: Statement): void {
    const { changes } = prepare(statement.sql).run(statement.params);
    if (statement.claim !== undefined && changes !== 1) throw new ClaimLost(statement.claim);
  }

  /** Runs one transaction of a group; what it throws has undone this one and no other. */
  function runMember(statements: readonly Statement[]): void {
    const [only] = statements;
    if (statements.length === 1 && only !== undefined) return run(only);
    prepare("SAVEPOINT member").run();
    try {
      for (const statement of statements) run(statement);
    } catch (error) {
      if (db.inTransaction) prepare("ROLLBACK TO member").run();
      throw error;
    } finally {
      if (db.inTransaction) prepare("RELEASE member").run();
    }
  }

  /** Of one that is alone in its commit no savepoint is made, which would keep each page once more, from some pages on in a file. */
  function runAlone(statements: readonly Statement[]): void {
    for (const statement of statements) run(statement);
  }

  function writeOnce(group: readonly Transaction[]): (Error | undefined)[] {
    const outcomes: (Error | undefined)[] = [];
    const runOne = group.length === 1 ? runAlone : runMember;
    prepare("BEGIN IMMEDIATE").run();
    for (const transaction of group) {
      try {
        runOne(transaction.statements);
        outcomes.push(undefined);
      } catch (error) {
        if (isStorageError(error)) throw error;
        outcomes.push(error as Error);
      }
    }
    if (outcomes.every((outcome) => outcome !== undefined)) {
      if (db.inTransaction) prepare("ROLLBACK").run();
      return outcomes;
    }
    if (group.some(({ statements }, i) => outcomes[i] === undefined && statements.some(wantsSeal))) seal();
    prepare("COMMIT").run();
    return outcomes;
  }

  function seal(): void {
    if (sealing === undefined) return;
    for (const statement of sealing.seal(select<Row>(sealing.select, undefined))) run(statement);
  }

  function tryWrite(group: readonly Transaction[]): readonly (Error | undefined)[] | DomainError {
    try {
      return writeOnce(group);
    } catch (error) {
      if (db.inTransaction) prepare("ROLLBACK").run();
      return storageRefusal(error);
    }
  }

  function writeGroup(group: readonly Transaction[]): readonly (Error | undefined)[] {
    if (ballast?.isSpent() === true) return writeEssential(group, storageFull());
    const outcomes = tryWrite(group);
    if (!(outcomes instanceof DomainError)) return outcomes;
    const mustRelease = outcomes.reason === "STORAGE_FULL" && group.some(({ essential }) => essential === true);
    return mustRelease && ballast?.release() === true ? writeEssential(group, outcomes) : group.map(() => outcomes);
  }

  /** Writes what must be stored and refuses the rest. */
  function writeEssential(group: readonly Transaction[], refusal: DomainError): readonly (Error | undefined)[] {
    const essential = group.filter((transaction) => transaction.essential === true);
    const outcomes = essential.length === 0 ? [] : tryWrite(essential);
    return group.map((transaction) => {
      if (transaction.essential !== true) return refusal;
      return outcomes instanceof DomainError ? outcomes : outcomes[essential.indexOf(transaction)];
    });
  }

  function select<R>(statement: Statement, stop: ((row: R) => boolean) | undefined): R[] {
    if (stop === undefined) return prepare(statement.sql).all(statement.params) as R[];
    const rows: R[] = [];
    for (const row of prepare(statement.sql).iterate(statement.params)) {
      rows.push(row as R);
      if (stop(row as R)) break;
    }
    return rows;
  }

  const committer = createCommitter(writeGroup, clock);

  function enqueue(transaction: Transaction): void {
    committer.enqueue(transaction);
  }

  return {
    all: async <R>(statement: Statement, stop?: (row: R) => boolean) => select(statement, stop),
    get: async <R>(statement: Statement) => prepare(statement.sql).get(statement.params) as R | undefined,
    read: async <T = Row[][]>(queries: readonly Query[], take?: (rows: Row[][]) => T) => {
      // Whoever asks while a commit is being told to those who wait for it would see memory half-way.
      await Promise.resolve();
      const rows = queries.map((query) => select<Row>(query, query.stop));
      return take === undefined ? (rows as T) : take(rows);
    },
    transact: (statements, options) =>
      new Promise((resolve, reject) => {
        const essential = options?.essential ?? false;
        const settle = (error: Error | undefined): void => (error === undefined ? resolve() : reject(error));
        enqueue({ statements, essential, settle });
      }),
    enqueue,
    sealWith(given) {
      sealing = given;
    },
    defer: (work) => committer.defer(work),
    requestCommit: (pendingBytes) => committer.requestCommit(pendingBytes),
    onRevision: (ring) => committer.onRevision(ring),
    size: async () =>
      ["", "-wal"].reduce((sum, suffix) => sum + (statSync(path + suffix, { throwIfNoEntry: false })?.size ?? 0), 0),
    copyTo: async (file, progress) => {
      try {
        await copyDatabase(db, file, progress);
      } catch (error) {
        throw sqliteCode(error) === "" ? error : storageRefusal(error);
      }
    },
    close: async () => {
      committer.flush();
      await ballast?.close();
      db.close();
    },
  };
}

function wantsSeal({ wantsSeal: wants }: Statement): boolean {
  return wants === true;
}

/** Opens the file, checks it, sets it up and migrates it. */
function openChecked(path: string): BetterSqlite3.Database {
  let db: BetterSqlite3.Database | undefined;
  try {
    lookAt(path);
    db = new Sqlite(path);
    for (const setting of SETTINGS) db.pragma(setting);
    const synchronous = db.pragma("synchronous", { simple: true });
    if (synchronous !== 2) throw new Error(`synchronous is ${String(synchronous)}, not FULL`);
    migrate(db);
    return db;
  } catch (error) {
    db?.close();
    if (error instanceof DomainError) throw error;
    if (!isDamage(error)) throw openRefusal(path, error);
    throw new DomainError(
      "unavailable",
      "STORE_DAMAGED",
      `the database ${path} is damaged (${(error as Error).message}); nothing was changed: bring a backup back with \`parley restore DIR\`, or look closer with \`parley doctor\``,
      {},
      { cause: error },
    );
  }
}

/**
 * The fast check at start: header, schema, that the file is as long as it says, and whose it is. Without writing: whoever
 * opens a file for that brings what its last user left in the log into it, and WAL mode changes another program's file.
 */
function lookAt(path: string): void {
  if (path === ":memory:" || !existsSync(path)) return;
  const db = new Sqlite(path, { readonly: true });
  try {
    db.pragma("schema_version");
    db.prepare("SELECT count(*) FROM sqlite_schema").get();
    db.pragma("page_count");
    checkIdentity(db);
  } finally {
    db.close();
  }
}

function sqliteCode(error: unknown): string {
  return error instanceof Sqlite.SqliteError ? error.code : "";
}

function isDamage(error: unknown): boolean {
  return /^SQLITE_(CORRUPT|NOTADB)/.test(sqliteCode(error));
}

/** Whether the disk refused, as against a statement that was wrong or lost its claim. */
function isStorageError(error: unknown): boolean {
  return /^SQLITE_(FULL|IOERR|CANTOPEN|READONLY|NOMEM|BUSY|LOCKED|CORRUPT|NOTADB|PERM)/.test(sqliteCode(error));
}

/** Why the file cannot be opened, where it is not damaged. */
function openRefusal(path: string, error: unknown): Error {
  const code = sqliteCode(error);
  // A bug; or it could be opened, and the disk is full.
  if (code === "") return error as Error;
  if (code === "SQLITE_FULL") return storageRefusal(error);
  return new DomainError(
    "unavailable",
    "STORAGE_FAILED",
    `the database ${path} cannot be opened (${code}); it must be a file that this user may read and write`,
    {},
    { cause: error },
  );
}

function storageFull(cause?: unknown): DomainError {
  const message = "the disk of the data directory is full; free some space and try again";
  return new DomainError("exhausted", "STORAGE_FULL", message, {}, { cause });
}

function storageRefusal(error: unknown): DomainError {
  const code = sqliteCode(error);
  if (code === "SQLITE_FULL") return storageFull(error);
  if (isDamage(error)) {
    const message =
      "the database is damaged; stop the engine, look closer with `parley doctor`, and bring a backup back with `parley restore DIR`";
    return new DomainError("unavailable", "STORE_DAMAGED", message, {}, { cause: error });
  }
  return new DomainError(
    "unavailable",
    "STORAGE_FAILED",
    `the data directory cannot be read or written (${code || "unknown"}); look at the engine's log`,
    {},
    { cause: error },
  );
}
