import { messageFromRow, type MessageRow, type StoredMessage } from "../../message/message-store.ts";
import type { Database, Statement } from "../../store/database.ts";

/** The assistant's message before a place in the conversation; undefined where there is none. */
export async function findAssistantBefore(
  db: Database,
  sessionKey: number,
  seq: number,
): Promise<StoredMessage | undefined> {
  const row = await db.get<MessageRow>({
    sql: "SELECT * FROM messages WHERE session_key = ? AND seq < ? AND role = 'assistant' ORDER BY seq DESC LIMIT 1",
    params: [sessionKey, seq],
  });
  return row === undefined ? undefined : messageFromRow(row);
}

/** The id of the last message before a place; empty where there is none. */
export async function findIdBefore(db: Database, sessionKey: number, seq: number): Promise<string> {
  const row = await db.get<{ id: string }>({
    sql: "SELECT id FROM messages WHERE session_key = ? AND seq < ? ORDER BY seq DESC LIMIT 1",
    params: [sessionKey, seq],
  });
  return row?.id ?? "";
}

/** The number of the first event of a turn of this session; undefined where it has no such turn. */
export async function findTurnStart(db: Database, sessionKey: number, turnId: string): Promise<number | undefined> {
  const row = await db.get<{ first_seq: number }>({
    sql: "SELECT first_seq FROM turns WHERE id = ? AND session_key = ?",
    params: [turnId, sessionKey],
  });
  return row?.first_seq;
}

/** The number of the `turn_ended` of the last turn that began before a place; undefined where there is none. */
export async function findTurnEndBefore(db: Database, sessionKey: number, seq: number): Promise<number | undefined> {
  const turn = await db.get<{ id: string; end_seq: number }>({
    sql: "SELECT id, end_seq FROM turns WHERE session_key = ? AND first_seq < ? ORDER BY first_seq DESC LIMIT 1",
    params: [sessionKey, seq],
  });
  if (turn === undefined || turn.end_seq > 0) return turn?.end_seq;
  // It ended before that was recorded: its end is the last that its log tells of it.
  const last = await db.get<{ seq: number | null }>({
    sql: "SELECT max(seq) AS seq FROM events WHERE session_key = ? AND seq >= ? AND turn_id = ?",
    params: [sessionKey, seq, turn.id],
  });
  return last?.seq ?? undefined;
}

/** Messages before a place whose last edit was told of at it or after it. */
export async function listEditedSince(db: Database, sessionKey: number, seq: number): Promise<StoredMessage[]> {
  const rows = await db.all<MessageRow>({
    sql: "SELECT * FROM messages WHERE session_key = ? AND updated_seq >= ? AND updated_seq > 0 AND seq < ? ORDER BY seq",
    params: [sessionKey, seq, seq],
  });
  return rows.map(messageFromRow);
}

export async function hasHistory(db: Database, sessionKey: number): Promise<boolean> {
  const row = await db.get({
    sql: `SELECT 1 AS one FROM messages WHERE session_key = ? UNION ALL SELECT 1 FROM turns WHERE session_key = ? LIMIT 1`,
    params: [sessionKey, sessionKey],
  });
  return row !== undefined;
}

/** Removes the messages, turns and calls from a place on; the last turn is the last one that is left. */
export function deleteHistoryFrom(sessionKey: number, seq: number): readonly Statement[] {
  return [
    {
      sql: `DELETE FROM tool_calls WHERE session_key = ?
        AND message_id IN (SELECT id FROM messages WHERE session_key = ? AND seq >= ?)`,
      params: [sessionKey, sessionKey, seq],
    },
    { sql: "DELETE FROM messages WHERE session_key = ? AND seq >= ?", params: [sessionKey, seq] },
    { sql: "DELETE FROM turns WHERE session_key = ? AND first_seq >= ?", params: [sessionKey, seq] },
    {
      sql: `UPDATE sessions SET history_edits = history_edits + 1, last_turn_id = coalesce((SELECT id FROM turns
        WHERE session_key = sessions.key ORDER BY first_seq DESC LIMIT 1), '') WHERE key = ?`,
      params: [sessionKey],
    },
  ];
}

export function setUpdatedSeq(messageId: string, seq: number): Statement {
  return { sql: "UPDATE messages SET updated_seq = ? WHERE id = ?", params: [seq, messageId] };
}
