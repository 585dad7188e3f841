import type { Database, SqlValue, Statement } from "../store/database.ts";
import type { AuditEntry } from "./audit-entry.ts";
import { type ChainEnd, type EntryRow, entryFromRow, setEnd } from "./chain.ts";

/** Which entries; what is undefined is not asked for. */
export interface AuditFilter {
  readonly sessionId: string | undefined;
  readonly action: string | undefined;
  readonly actor: string | undefined;
  readonly sinceMs: number | undefined;
}

/** So much of a page is read at most; its last entry may go beyond. */
const MAX_BYTES = 1024 * 1024;

/** Those before the one with `beforeSeq` (undefined = from the newest), the newest first. */
export async function listEntriesBefore(
  db: Database,
  { sessionId, action, actor, sinceMs }: AuditFilter,
  beforeSeq: number | undefined,
  limit: number,
): Promise<AuditEntry[]> {
  const conditions = ["seq < ?"];
  const params: SqlValue[] = [beforeSeq ?? Number.MAX_SAFE_INTEGER];
  const add = (condition: string, ...values: SqlValue[]): void => {
    conditions.push(condition);
    params.push(...values);
  };
  // Both conditions, so that SQLite may use the index of sessions, which leaves out entries of none.
  if (sessionId !== undefined) add("session_id = ? AND session_id <> ''", sessionId);
  if (action !== undefined) add("action = ?", action);
  if (actor !== undefined) add("actor = ?", actor);
  // The second one ends the walk; by itself the first would look at every older entry. With the sign its own look goes by the
  // index of times, and not from the oldest entry on.
  if (sinceMs !== undefined) {
    add("time_ms >= ? AND seq >= (SELECT min(+seq) FROM audit_entries WHERE time_ms >= ?)", sinceMs, sinceMs);
  }
  let bytes = 0;
  const rows = await db.all<EntryRow>(
    {
      sql: `SELECT * FROM audit_entries WHERE ${conditions.join(" AND ")} ORDER BY seq DESC LIMIT ?`,
      params: [...params, limit],
    },
    ({ detail }) => (bytes += Buffer.byteLength(detail)) >= MAX_BYTES,
  );
  return rows.map(entryFromRow);
}

interface EndRow {
  name: string;
  seq: number;
  hash: Uint8Array;
}

/** The ends of the chain, and the number of the last entry that there is, which is the head's unless somebody has been at it. */
export async function readEnds(db: Database): Promise<{
  readonly anchor: ChainEnd | undefined;
  readonly head: ChainEnd | undefined;
  readonly lastSeq: number;
}> {
  const ends = await db.all<EndRow>({ sql: "SELECT name, seq, hash FROM audit_ends", params: [] });
  const last = await db.get<{ seq: number | null }>({ sql: "SELECT max(seq) AS seq FROM audit_entries", params: [] });
  const find = (wanted: string): ChainEnd | undefined => {
    const row = ends.find(({ name }) => name === wanted);
    return row && { seq: row.seq, hash: row.hash };
  };
  return { anchor: find("anchor"), head: find("head"), lastSeq: last?.seq ?? 0 };
}

/** The last of the oldest entries that are all older than this, at most so many; undefined = there is none. */
export async function findOld(db: Database, beforeMs: number, limit: number): Promise<ChainEnd | undefined> {
  const row = await db.get<{ seq: number; hash: Uint8Array }>({
    sql: `SELECT seq, hash FROM audit_entries WHERE hash IS NOT NULL
      AND seq < coalesce((SELECT min(seq) FROM audit_entries WHERE time_ms >= ?), 9e15)
      AND seq < (SELECT min(seq) FROM audit_entries) + ? ORDER BY seq DESC LIMIT 1`,
    params: [beforeMs, limit],
  });
  return row === undefined ? undefined : { seq: row.seq, hash: row.hash };
}

/** Removes what is up to this place; the chain begins behind it from then on. */
export function removeThrough(end: ChainEnd): readonly Statement[] {
  return [setEnd("anchor", end), { sql: "DELETE FROM audit_entries WHERE seq <= ?", params: [end.seq] }];
}
