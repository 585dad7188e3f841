import type { Database, Statement } from "../store/database.ts";

/** Rows removed in one transaction: small enough that nobody who streams notices. */
const ROWS_AT_ONCE = 1000;

/** Tables with many rows of one session, and the column that orders them. */
const TABLES = [
  { table: "events", order: "seq" },
  { table: "messages", order: "seq" },
  { table: "turns", order: "first_seq" },
] as const;

/** Removes what is left of deleted sessions, in the background. */
export interface RemovedSessions {
  /** Goes on with it, if it does not already. */
  sweep(): void;
  /** Stops after the piece it is at. What is left goes after the next start. */
  close(): Promise<void>;
}

export function createRemovedSessions(db: Database, onBug: (what: string, error: unknown) => void): RemovedSessions {
  let current: Promise<void> | undefined;
  let isClosed = false;

  async function sweepAll(): Promise<void> {
    for (;;) {
      const next = await db.get<{ session_key: number }>({
        sql: "SELECT session_key FROM removed_sessions LIMIT 1",
        params: [],
      });
      if (next === undefined || isClosed) return;
      const isDone = await sweepSome(next.session_key);
      if (isDone) await db.transact(lastOf(next.session_key));
    }
  }

  /** Removes one piece. True when nothing is left. */
  async function sweepSome(key: number): Promise<boolean> {
    for (const { table, order } of TABLES) {
      const last = await db.get<{ last: number | null }>({
        sql: `SELECT max(place) AS last FROM (SELECT ${order} AS place FROM ${table} WHERE session_key = ? ORDER BY ${order} LIMIT ?) AS piece`,
        params: [key, ROWS_AT_ONCE],
      });
      if (last === undefined || last.last === null) continue;
      await db.transact([
        { sql: `DELETE FROM ${table} WHERE session_key = ? AND ${order} <= ?`, params: [key, last.last] },
      ]);
      return false;
    }
    return true;
  }

  return {
    sweep() {
      current ??= sweepAll()
        .catch((error: unknown) => onBug("removing a session's rows", error))
        .finally(() => {
          current = undefined;
        });
    },
    close: async () => {
      isClosed = true;
      await current;
    },
  };
}

function lastOf(key: number): readonly Statement[] {
  return [
    { sql: "DELETE FROM tool_calls WHERE session_key = ?", params: [key] },
    { sql: "DELETE FROM queued_messages WHERE session_key = ?", params: [key] },
    { sql: "DELETE FROM removed_sessions WHERE session_key = ?", params: [key] },
  ];
}
