import { delay, systemClock, type Clock } from "../clock.ts";
import type { Database, Statement } from "../store/database.ts";
import { nextRangePiece } from "./history/removed-ranges.ts";

/** Rows removed in one transaction: small enough that nobody who streams notices. */
const ROWS_AT_ONCE = 500;

/** After each piece the others have the engine for so many times as long as it took. */
const REST_PER_WORK = 2;

/** Tables with many rows of one session, and the column that orders them. */
const TABLES = [
  { table: "events", order: "seq" },
  { table: "messages", order: "seq" },
  { table: "turns", order: "first_seq" },
  { table: "file_changes", order: "key" },
] as const;

/** Removes what is left of deleted sessions and of cut histories, in the background. */
export interface RemovedSessions {
  /** Goes on with it, if it does not already. */
  sweep(): void;
  /** Stops after the piece it is at. What is left goes after the next start. */
  close(): Promise<void>;
}

export function createRemovedSessions(
  db: Database,
  onBug: (what: string, error: unknown) => void,
  clock: Clock = systemClock,
): RemovedSessions {
  const closing = new AbortController();
  let current: Promise<void> | undefined;
  let isAskedAgain = false;

  async function sweepAll(): Promise<void> {
    do {
      isAskedAgain = false;
      while (!closing.signal.aborted) {
        const startMs = clock.monotonic();
        const piece = (await nextSessionPiece(db)) ?? (await nextRangePiece(db, ROWS_AT_ONCE));
        if (piece === undefined) break;
        await db.transact(piece);
        await rest(REST_PER_WORK * (clock.monotonic() - startMs));
      }
    } while (isAskedAgain && !closing.signal.aborted);
  }

  async function rest(ms: number): Promise<void> {
    if (closing.signal.aborted) return;
    // Cut short by the end of the engine.
    await delay(clock, ms, closing.signal).catch(() => undefined);
  }

  return {
    sweep() {
      isAskedAgain = true;
      current ??= sweepAll()
        .catch((error: unknown) => onBug("removing what is left of sessions", error))
        .finally(() => {
          current = undefined;
        });
    },
    close: async () => {
      closing.abort();
      await current;
    },
  };
}

/** Takes away some rows of a removed session; undefined where there is none. */
async function nextSessionPiece(db: Database): Promise<readonly Statement[] | undefined> {
  const next = await db.get<{ session_key: number }>({
    sql: "SELECT session_key FROM removed_sessions LIMIT 1",
    params: [],
  });
  if (next === undefined) return undefined;
  const { session_key: key } = next;
  for (const { table, order } of TABLES) {
    const piece = await db.get<{ last: number | null }>({
      sql: `SELECT max(place) AS last FROM (SELECT ${order} AS place FROM ${table} WHERE session_key = ? ORDER BY ${order} LIMIT ?) AS piece`,
      params: [key, ROWS_AT_ONCE],
    });
    if (piece === undefined || piece.last === null) continue;
    return [{ sql: `DELETE FROM ${table} WHERE session_key = ? AND ${order} <= ?`, params: [key, piece.last] }];
  }
  return lastOf(key);
}

function lastOf(key: number): readonly Statement[] {
  return [
    { sql: "DELETE FROM tool_calls WHERE session_key = ?", params: [key] },
    { sql: "DELETE FROM queued_messages WHERE session_key = ?", params: [key] },
    { sql: "DELETE FROM todo_lists WHERE session_key = ?", params: [key] },
    { sql: "DELETE FROM reverts WHERE session_key = ?", params: [key] },
    // Those that were open are kept for a while, for who waits for them.
    { sql: "DELETE FROM requests WHERE session_key = ? AND forget_time_ms IS NULL", params: [key] },
    { sql: "DELETE FROM removed_ranges WHERE session_key = ?", params: [key] },
    { sql: "DELETE FROM removed_sessions WHERE session_key = ?", params: [key] },
  ];
}
