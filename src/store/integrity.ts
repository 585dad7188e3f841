import Sqlite from "better-sqlite3";
import type BetterSqlite3 from "better-sqlite3";

/** Enough to see that something is wrong, and what kind of thing. */
const MAX_PROBLEMS = 20;

/** SQLite's full check of a database that is open; empty = all is well. It reads every page: a second for each 500 MB or so. */
export function findDamage(db: BetterSqlite3.Database): readonly string[] {
  try {
    const rows = db.pragma(`integrity_check(${MAX_PROBLEMS})`) as readonly { readonly integrity_check: string }[];
    return rows.map((row) => row.integrity_check).filter((text) => text !== "ok");
  } catch (error) {
    // Too damaged to be looked through.
    if (error instanceof Sqlite.SqliteError && /^SQLITE_(CORRUPT|NOTADB)/.test(error.code)) return [error.message];
    throw error;
  }
}
