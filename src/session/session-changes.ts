import { DomainError } from "../errors.ts";
import type { Database, Row } from "../store/database.ts";
import { sessionFromRow, type SessionRow, type StoredSession } from "./session-store.ts";

/** A session as it is after a change, or that one is gone. */
export type SessionChange =
  | { readonly kind: "session"; readonly revision: number; readonly session: StoredSession }
  | { readonly kind: "gone"; readonly revision: number; readonly id: string; readonly key: number };

/** Changes in the order in which they were made, only the last one of each session. */
export interface ChangePage {
  readonly changes: readonly SessionChange[];
  /** Where the next page begins. */
  readonly cursor: number;
  /** Whether there may be more already. */
  readonly hasMore: boolean;
}

/** What a reader is handed at once: so much is held for each that does not read. */
const MAX_CHANGES = 200;
const MAX_BYTES = 128 * 1024;

interface RevisionRow extends Row {
  value: number;
  told_after: number;
}

interface Tombstone extends Row {
  revision: number;
  id: string;
  item_key: number;
}

const SELECT_REVISION = { sql: "SELECT value, told_after FROM engine_revision", params: [] };

/** The last revision that was given out, and the key of the newest session, at one moment. */
export async function readPosition(db: Database): Promise<{ readonly revision: number; readonly newestKey: number }> {
  const [revisions = [], keys = []] = await db.read([
    SELECT_REVISION,
    { sql: "SELECT coalesce(max(key), 0) AS newest FROM sessions", params: [] },
  ]);
  return { revision: Number(revisions[0]?.["value"]), newestKey: Number(keys[0]?.["newest"]) };
}

/**
 * What has changed after a revision. Three reads, not of one moment: what changes between them has a later revision, and
 * comes with a later page. Throws DomainError `WATCH_BEHIND` where removals after it are no longer told.
 */
export async function readChanges(db: Database, after: number): Promise<ChangePage> {
  const end = Number((await db.get<RevisionRow>(SELECT_REVISION))?.value);
  if (end === after) return { changes: [], cursor: after, hasMore: false };
  let bytes = 0;
  const rows = await db.all<SessionRow>(
    {
      sql: "SELECT * FROM sessions WHERE revision > ? AND revision <= ? ORDER BY revision LIMIT ?",
      params: [after, end, MAX_CHANGES],
    },
    (row) => {
      bytes += Buffer.byteLength(row.system_prompt) + Buffer.byteLength(row.labels);
      return bytes >= MAX_BYTES;
    },
  );
  const [removed = [], revisions = []] = await db.read([
    {
      sql: `SELECT revision, id, item_key FROM tombstones WHERE revision > ? AND revision <= ? AND kind = 'session'
        ORDER BY revision LIMIT ?`,
      params: [after, end, MAX_CHANGES],
    },
    SELECT_REVISION,
  ]);
  if (Number(revisions[0]?.["told_after"]) > after) throw watchBehind();
  const isCut = rows.length >= MAX_CHANGES || bytes >= MAX_BYTES;
  const cursor = Math.min(
    isCut ? (rows.at(-1)?.revision ?? end) : end,
    removed.length < MAX_CHANGES ? end : Number(removed.at(-1)?.["revision"]),
  );
  const changes = [
    ...rows.map((row): SessionChange => ({ kind: "session", revision: row.revision, session: sessionFromRow(row) })),
    ...(removed as Tombstone[]).map(({ revision, id, item_key: key }): SessionChange => ({
      kind: "gone",
      revision,
      id,
      key,
    })),
  ];
  return {
    changes: changes.filter(({ revision }) => revision <= cursor).toSorted((a, b) => a.revision - b.revision),
    cursor,
    hasMore: cursor < end,
  };
}

/** How long a removal is told to who watches from before it. Who reads nothing for so long has left. */
const KEEP_MS = 60 * 60_000;
const TOMBSTONES_AT_ONCE = 1000;

/** Forgets removals that everybody who watches knows of. */
export async function sweepTombstones(db: Database, nowMs: number): Promise<void> {
  for (;;) {
    const row = await db.get<{ last: number | null }>({
      sql: `SELECT max(revision) AS last FROM
        (SELECT revision FROM tombstones WHERE create_time_ms <= ? ORDER BY revision LIMIT ?) AS piece`,
      params: [nowMs - KEEP_MS, TOMBSTONES_AT_ONCE],
    });
    const last = row?.last ?? null;
    if (last === null) return;
    await db.transact([
      { sql: "UPDATE engine_revision SET told_after = max(told_after, ?)", params: [last] },
      { sql: "DELETE FROM tombstones WHERE revision <= ?", params: [last] },
    ]);
  }
}

function watchBehind(): DomainError {
  return new DomainError(
    "unavailable",
    "WATCH_BEHIND",
    "this stream was not read for so long that what was removed meanwhile is forgotten; watch again",
  );
}
