import type { Database, Row, Statement } from "../store/database.ts";
import type { StoredSession } from "../session/session-store.ts";
import type { KeptChange } from "./file-change.ts";

interface ChangeRow extends Row {
  id: string;
  session_id: string;
  turn_id: string;
  path: string;
  before_sha256: string;
  before_mode: number | null;
  after_sha256: string;
  new_folders: number;
  state: "begun" | "made" | "undone";
}

/** The call that changes a file. */
export interface ChangingCall {
  readonly sessionKey: number;
  readonly turnId: string;
  readonly callId: string;
}

/** Keeps what a file is, before it is changed. Its claim is lost where the turn is over: nothing may be changed then. */
export function insertChange(
  call: ChangingCall,
  change: Omit<KeptChange, "sessionId" | "turnId" | "isMade">,
): Statement {
  return {
    sql: `INSERT INTO file_changes (id, session_key, turn_id, call_id, path, before_sha256, before_mode, after_sha256,
        new_folders, state, undone_seq, diff_sha256)
      SELECT ?, key, ?, ?, ?, ?, ?, ?, ?, 'begun', 0, '' FROM sessions WHERE key = ? AND running_turn_id = ?`,
    params: [
      change.id,
      call.turnId,
      call.callId,
      change.path,
      change.beforeSha256,
      change.beforeMode ?? null,
      change.afterSha256,
      change.newFolders,
      call.sessionKey,
      call.turnId,
    ],
    claim: "running turn",
  };
}

/** It has happened, and an event tells of it. */
export function setChangeMade(id: string, diffSha256: string): Statement {
  return { sql: "UPDATE file_changes SET state = 'made', diff_sha256 = ? WHERE id = ?", params: [diffSha256, id] };
}

/** It has not happened. */
export function deleteChange(id: string): Statement {
  return { sql: "DELETE FROM file_changes WHERE id = ?", params: [id] };
}

/** It was taken back: what was before is there again, and need not be kept. `seq` is that of the event that tells it; 0 = none. */
export function setChangesUndone(ids: readonly string[], seq: number): Statement {
  return {
    sql: `UPDATE file_changes SET state = 'undone', before_sha256 = '', undone_seq = ? WHERE id IN (SELECT value FROM json_each(?))`,
    params: [seq, JSON.stringify(ids)],
  };
}

/** What a turn and the agents that it started did to files of its workspace, and nobody has taken back, the oldest first. */
export async function listChanges(
  db: Database,
  { id, key, workspace }: Pick<StoredSession, "id" | "key" | "workspace">,
  turnId: string,
): Promise<KeptChange[]> {
  const rows = await db.all<ChangeRow>({
    sql: `WITH RECURSIVE agents (id, key) AS (
        SELECT id, key FROM sessions
          WHERE parent_session_id = ? AND parent_session_id <> '' AND parent_turn_id = ? AND workspace = ?
        UNION
        SELECT s.id, s.key FROM agents JOIN sessions AS s ON s.parent_session_id = agents.id
          WHERE s.parent_session_id <> '' AND s.workspace = ?
      )
      SELECT c.id, ? AS session_id, c.turn_id, c.path, c.before_sha256, c.before_mode, c.after_sha256, c.new_folders, c.state, c.key
        FROM file_changes AS c WHERE c.session_key = ? AND c.turn_id = ? AND c.state <> 'undone'
      UNION ALL
      SELECT c.id, agents.id, c.turn_id, c.path, c.before_sha256, c.before_mode, c.after_sha256, c.new_folders, c.state, c.key
        FROM agents JOIN file_changes AS c ON c.session_key = agents.key WHERE c.state <> 'undone'
      ORDER BY 10`,
    params: [id, turnId, workspace, workspace, id, key, turnId],
  });
  return rows.map((row) => ({
    id: row.id,
    sessionId: row.session_id,
    turnId: row.turn_id,
    path: row.path,
    beforeSha256: row.before_sha256,
    beforeMode: row.before_mode ?? undefined,
    afterSha256: row.after_sha256,
    newFolders: row.new_folders,
    isMade: row.state === "made",
  }));
}

/** What was taken back of a turn, as one event told it. */
export interface ToldRevert {
  readonly seq: number;
  readonly turnId: string;
  readonly paths: readonly string[];
}

/** What was told at a place of the log or after it of changes whose calls came before. */
export async function listRevertsSince(db: Database, sessionKey: number, seq: number): Promise<ToldRevert[]> {
  const rows = await db.all<{ undone_seq: number; turn_id: string; paths: string }>({
    sql: `SELECT undone_seq, turn_id, json_group_array(DISTINCT path) AS paths FROM file_changes
      WHERE session_key = ? AND undone_seq >= ? AND call_id IN (SELECT tool_calls.id FROM tool_calls
        JOIN messages ON messages.id = tool_calls.message_id WHERE messages.session_key = ? AND messages.seq < ?)
      GROUP BY undone_seq, turn_id ORDER BY undone_seq`,
    params: [sessionKey, seq, sessionKey, seq],
  });
  return rows.map((row) => ({
    seq: row.undone_seq,
    turnId: row.turn_id,
    paths: JSON.parse(row.paths) as string[],
  }));
}

/** It is told again, there. */
export function moveRevert(sessionKey: number, fromSeq: number, toSeq: number): Statement {
  return {
    sql: "UPDATE file_changes SET undone_seq = ? WHERE session_key = ? AND undone_seq = ?",
    params: [toSeq, sessionKey, fromSeq],
  };
}

/** What was kept for calls that are gone. */
export function deleteChangesOfGoneCalls(sessionKey: number): Statement {
  return {
    sql: `DELETE FROM file_changes WHERE session_key = ?
      AND NOT EXISTS (SELECT 1 FROM tool_calls WHERE tool_calls.id = file_changes.call_id)`,
    params: [sessionKey],
  };
}
