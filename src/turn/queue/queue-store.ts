import type { Part } from "../../message/message.ts";
import type { StoredSession } from "../../session/session-store.ts";
import type { Database, Row, Statement } from "../../store/database.ts";
import type { Framing, QueuedKind, QueuedMessage } from "./queued-message.ts";

/** With its place; only the order of places means anything. */
export type StoredQueued = QueuedMessage & { readonly position: number };

export interface QueuedRow extends Row {
  id: string;
  session_id: string;
  kind: QueuedKind;
  framing: Framing;
  position: number;
  parts: string;
  actor: string;
  create_time_ms: number;
}

export function queuedFromRow(row: QueuedRow): StoredQueued {
  return {
    id: row.id,
    sessionId: row.session_id,
    kind: row.kind,
    framing: row.framing,
    position: row.position,
    parts: JSON.parse(row.parts) as Part[],
    actor: row.actor,
    createTimeMs: row.create_time_ms,
  };
}

/** What waits of one kind, the next first. */
export async function listQueued(db: Database, sessionKey: number, kind: QueuedKind): Promise<StoredQueued[]> {
  const rows = await db.all<QueuedRow>({
    sql: "SELECT * FROM queued_messages WHERE session_key = ? AND kind = ? ORDER BY position",
    params: [sessionKey, kind],
  });
  return rows.map(queuedFromRow);
}

/** Steers come before follow-ups, whatever their positions; those of moved steers may be below 0. */
const FOLLOW_UPS_FROM = 2 ** 40;
const LOWEST_POSITION = -(2 ** 20);

/** A message's place in the whole queue of its session. */
export function placeInQueue({ kind, position }: StoredQueued): number {
  return position - LOWEST_POSITION + (kind === "steer" ? 0 : FOLLOW_UPS_FROM);
}

/** A session's queue after a place in it: steers, then follow-ups, each the next one first; ends after `maxBytes`. */
export async function listQueueAfter(
  db: Database,
  sessionKey: number,
  after: number | undefined,
  limit: number,
  maxBytes: number,
): Promise<StoredQueued[]> {
  let bytes = 0;
  const rows = await db.all<QueuedRow>(
    {
      sql: `SELECT * FROM (SELECT *, position - ? + CASE kind WHEN 'steer' THEN 0 ELSE ? END AS place
        FROM queued_messages WHERE session_key = ?) AS placed WHERE place > ? ORDER BY place LIMIT ?`,
      params: [LOWEST_POSITION, FOLLOW_UPS_FROM, sessionKey, after ?? 0, limit],
    },
    (row) => {
      bytes += Buffer.byteLength(row.parts);
      return bytes >= maxBytes;
    },
  );
  return rows.map(queuedFromRow);
}

/** All that waits in a session, in the same order; answers `QueuedRow`s. */
export function selectQueue(sessionKey: number): Statement {
  return {
    sql: `SELECT * FROM queued_messages WHERE session_key = ?
      ORDER BY CASE kind WHEN 'steer' THEN 0 ELSE 1 END, position`,
    params: [sessionKey],
  };
}

export async function countQueued(db: Database, sessionKey: number, kind: QueuedKind): Promise<number> {
  const row = await db.get<{ count: number }>({
    sql: "SELECT count(*) AS count FROM queued_messages WHERE session_key = ? AND kind = ?",
    params: [sessionKey, kind],
  });
  return row?.count ?? 0;
}

export async function findQueued(db: Database, sessionKey: number, id: string): Promise<StoredQueued | undefined> {
  const row = await db.get<QueuedRow>({
    sql: "SELECT * FROM queued_messages WHERE session_key = ? AND id = ?",
    params: [sessionKey, id],
  });
  return row === undefined ? undefined : queuedFromRow(row);
}

/** Puts a message at the end. Its claim is lost where so many wait already, or `whileTurn` no longer runs. */
export function insertQueued(
  session: StoredSession,
  message: QueuedMessage,
  capacity: number,
  whileTurn: string,
): Statement {
  return {
    sql: `INSERT INTO queued_messages (id, session_key, session_id, kind, framing, position, parts, actor, create_time_ms)
      SELECT ?, ?, ?, ?, ?, (SELECT coalesce(max(position), 0) + 1 FROM queued_messages WHERE session_key = ?), ?, ?, ?
      WHERE (SELECT count(*) FROM queued_messages WHERE session_key = ? AND kind = ?) < ?
      AND EXISTS (SELECT 1 FROM sessions WHERE key = ? AND running_turn_id = ?)
      AND NOT EXISTS (SELECT 1 FROM turns WHERE id = ? AND state = 'cancelling' AND ? = 'steer')`,
    params: [
      message.id,
      session.key,
      message.sessionId,
      message.kind,
      message.framing,
      session.key,
      JSON.stringify(message.parts),
      message.actor,
      message.createTimeMs,
      session.key,
      message.kind,
      capacity,
      session.key,
      whileTurn,
      whileTurn,
      message.kind,
    ],
    claim: "queue",
  };
}

/** Takes a message out. Its claim is lost where somebody else has. */
export function deleteQueued(id: string): Statement {
  return { sql: "DELETE FROM queued_messages WHERE id = ?", params: [id], claim: "queued" };
}

/** Its claim is lost where the queue is not as it was read: somebody joined or left it. */
export function claimQueue(sessionKey: number, steers: number, followUps: number): Statement {
  const count = "(SELECT count(*) FROM queued_messages WHERE session_key = sessions.key AND kind = ?)";
  return {
    sql: `UPDATE sessions SET key = key WHERE key = ? AND ${count} = ? AND ${count} = ?`,
    params: [sessionKey, "steer", steers, "follow_up", followUps],
    claim: "queued",
  };
}

/** Makes a steer that was not taken up the follow-up with this place. */
export function moveToFollowUps(id: string, position: number): Statement {
  return {
    sql: "UPDATE queued_messages SET kind = 'follow_up', framing = 'plain', position = ? WHERE id = ?",
    params: [position, id],
    claim: "queued",
  };
}
