import type { Database, Statement } from "../store/database.ts";
import { nextRevisions, REVISION } from "../store/revision.ts";
import type { SessionSettings } from "./session.ts";
import { SESSION_COLUMNS, SESSION_MARKS, sessionParams, type SessionOrigin } from "./session-store.ts";

/** A session that is to appear. */
export interface NewSession {
  readonly id: string;
  readonly settings: SessionSettings;
  readonly origin: SessionOrigin;
}

/** Gives a session its key: the next one of \`sessions\`, which is never given again, whatever becomes of it. */
export function insertDraft(draft: string, { id, settings, origin }: NewSession, nowMs: number): readonly Statement[] {
  return [
    { sql: "UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = 'sessions'", params: [], claim: "session key" },
    {
      sql: `INSERT INTO draft_sessions (key, draft, ${SESSION_COLUMNS})
        VALUES ((SELECT seq FROM sqlite_sequence WHERE name = 'sessions'), ?, ${SESSION_MARKS})`,
      params: [draft, ...sessionParams(id, settings, nowMs, origin)],
    },
  ];
}

/** The keys of a draft's sessions after one of them, in the order in which they were added. */
export async function listDraftKeys(db: Database, draft: string, afterKey: number): Promise<number[]> {
  const rows = await db.all<{ key: number }>({
    sql: "SELECT key FROM draft_sessions WHERE draft = ? AND key > ? ORDER BY key",
    params: [draft, afterKey],
  });
  return rows.map(({ key }) => key);
}

/** Those of these messages that are in a draft. */
export async function findDraftMessages(db: Database, draft: string, ids: readonly string[]): Promise<Set<string>> {
  const rows = await db.all<{ id: string }>({
    sql: `SELECT m.id AS id FROM messages AS m JOIN draft_sessions AS d ON d.key = m.session_key
      WHERE m.id IN (SELECT value FROM json_each(?)) AND d.draft = ?`,
    params: [JSON.stringify(ids), draft],
  });
  return new Set(rows.map(({ id }) => id));
}

export function setDraftEnd(key: number, lastSeq: number): Statement {
  return { sql: "UPDATE draft_sessions SET last_seq = ? WHERE key = ?", params: [lastSeq, key], claim: "draft" };
}

/** Moves the end, too. Its claim is lost where the history that is copied is no more what it was, or is gone. */
export function setCopiedEnd(
  key: number,
  lastSeq: number,
  from: { readonly key: number; readonly historyEdits: number },
): Statement {
  return {
    sql: `UPDATE draft_sessions SET last_seq = ? WHERE key = ?
      AND EXISTS (SELECT 1 FROM sessions WHERE key = ? AND history_edits = ?)`,
    params: [lastSeq, key, from.key, from.historyEdits],
    claim: "history",
  };
}

/** Makes all of a draft's sessions appear. */
export function publishDraft(draft: string, sessions: number): readonly Statement[] {
  return [
    nextRevisions(sessions),
    {
      sql: `INSERT INTO sessions (key, ${SESSION_COLUMNS}, revision)
        SELECT key, ${SESSION_COLUMNS}, ${REVISION} - ? + row_number() OVER (ORDER BY key)
        FROM draft_sessions WHERE draft = ? ORDER BY key`,
      params: [sessions, draft],
    },
    { sql: "DELETE FROM draft_sessions WHERE draft = ?", params: [draft] },
  ];
}

/** Leaves a draft's rows to the sweeper of removed sessions. */
export function dropDraft(draft: string): readonly Statement[] {
  return [
    {
      sql: "INSERT INTO removed_sessions (session_key) SELECT key FROM draft_sessions WHERE draft = ?",
      params: [draft],
    },
    { sql: "DELETE FROM draft_sessions WHERE draft = ?", params: [draft] },
  ];
}

/** The same with all drafts: at start, those of a dead engine. */
export function dropAllDrafts(): readonly Statement[] {
  return [
    { sql: "INSERT INTO removed_sessions (session_key) SELECT key FROM draft_sessions", params: [] },
    // With no condition SQLite writes the pages of a table that is empty already: at each start, for nothing.
    { sql: "DELETE FROM draft_sessions WHERE true", params: [] },
  ];
}
