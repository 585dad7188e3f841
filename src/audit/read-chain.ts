import Sqlite from "better-sqlite3";
import type BetterSqlite3 from "better-sqlite3";
import type { AuditEntry } from "./audit-entry.ts";
import { type ChainEnd, type EntryRow, entryFromRow, NO_END } from "./chain.ts";

/** The chain of a store that is open, at the moment of its transaction; entries are read while they are looked at. */
export function chainOf(db: BetterSqlite3.Database) {
  const ends = db.prepare<[], { name: string } & ChainEnd>("SELECT name, seq, hash FROM audit_ends").all();
  const find = (wanted: string): ChainEnd => ends.find(({ name }) => name === wanted) ?? NO_END;
  return { anchor: find("anchor"), head: find("head"), entries: readEntries(db) };
}

function* readEntries(db: BetterSqlite3.Database): Generator<AuditEntry> {
  for (const row of db.prepare<[], EntryRow>("SELECT * FROM audit_entries ORDER BY seq").iterate()) {
    yield entryFromRow(row);
  }
}

/** The whole chain of a store's file. */
export function readChain(file: string) {
  const db = new Sqlite(file, { readonly: true });
  try {
    const { entries, ...ends } = chainOf(db);
    return { ...ends, entries: [...entries] };
  } finally {
    db.close();
  }
}
