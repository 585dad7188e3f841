import type { Database, Row, SqlValue, Statement } from "../store/database.ts";
import { NEXT_REVISION, REVISION } from "../store/revision.ts";
import type { SessionAgent } from "../agent/agent.ts";
import type { ApprovalMode } from "../permission/approval-mode.ts";
import type { Limits } from "../turn/turn.ts";
import { DEFAULT_LIMITS } from "../turn/turn.ts";
import { NO_USAGE, type Usage } from "../usage/usage.ts";
import { sessionNotFound } from "../event/session-logs.ts";
import { titleWords } from "../words.ts";
import type { ParentCall, Session, SessionSettings, SessionState } from "./session.ts";
import { waitingOnFromText } from "./waiting-on.ts";

export interface SessionRow extends Row {
  key: number;
  id: string;
  title: string;
  profile: string;
  model: string;
  system_prompt: string;
  workspace: string;
  forked_from: string;
  parent_session_id: string;
  parent_turn_id: string;
  parent_call_id: string;
  root_session_id: string;
  revision: number;
  history_edits: number;
  labels: string;
  limits: string;
  starred: number;
  resume_after_restart: number;
  retry_partial: number;
  approval_mode: ApprovalMode;
  agent: string;
  state: SessionState;
  running_turn_id: string;
  last_turn_id: string;
  last_seq: number;
  input_tokens: number;
  output_tokens: number;
  reasoning_tokens: number;
  cached_input_tokens: number;
  model_calls: number;
  waiting_on: string;
  create_time_ms: number;
  update_time_ms: number;
}

/**
 * A session with the number that its rows in other tables carry, and the number of its last change in the whole engine;
 * the end of its log alone is no change.
 */
export type StoredSession = Session & {
  readonly key: number;
  readonly revision: number;
  /** The first in the chain of sessions that started one another; its own id where none did. */
  readonly rootSessionId: string;
  /** How often what was said in it before was changed or removed. */
  readonly historyEdits: number;
};

export function sessionFromRow(row: SessionRow): StoredSession {
  return {
    key: row.key,
    revision: row.revision,
    historyEdits: row.history_edits,
    id: row.id,
    title: row.title,
    profile: row.profile,
    model: row.model,
    systemPrompt: row.system_prompt,
    workspace: row.workspace,
    forkedFrom: row.forked_from,
    rootSessionId: row.root_session_id || row.id,
    ...(row.parent_session_id !== "" && { parent: parentFromRow(row) }),
    labels: JSON.parse(row.labels) as Record<string, string>,
    limits: { ...DEFAULT_LIMITS, ...(JSON.parse(row.limits) as Partial<Limits>) },
    starred: row.starred === 1,
    resumeAfterRestart: row.resume_after_restart === 1,
    retryPartial: row.retry_partial === 1,
    approvalMode: row.approval_mode,
    ...(row.agent !== "" && { agent: JSON.parse(row.agent) as SessionAgent }),
    state: row.state,
    runningTurnId: row.running_turn_id,
    lastTurnId: row.last_turn_id,
    lastSeq: row.last_seq,
    usage: {
      inputTokens: row.input_tokens,
      outputTokens: row.output_tokens,
      reasoningTokens: row.reasoning_tokens,
      cachedInputTokens: row.cached_input_tokens,
      modelCalls: row.model_calls,
    },
    waitingOn: waitingOnFromText(row.waiting_on),
    createTimeMs: row.create_time_ms,
    updateTimeMs: row.update_time_ms,
  };
}

function parentFromRow(row: SessionRow): ParentCall {
  return { sessionId: row.parent_session_id, turnId: row.parent_turn_id, callId: row.parent_call_id };
}

/** Answers a `SessionRow`, or nothing. */
export function selectSession(id: string): Statement {
  return { sql: "SELECT * FROM sessions WHERE id = ?", params: [id] };
}

export async function findSession(db: Database, id: string): Promise<StoredSession | undefined> {
  const row = await db.get<SessionRow>(selectSession(id));
  return row === undefined ? undefined : sessionFromRow(row);
}

/** Throws DomainError `SESSION_NOT_FOUND`. */
export async function getSession(db: Database, id: string): Promise<StoredSession> {
  const session = await findSession(db, id);
  if (session === undefined) throw sessionNotFound(id);
  return session;
}

export async function countSessions(db: Database): Promise<readonly { state: SessionState; count: number }[]> {
  return db.all({ sql: "SELECT state, count(*) AS count FROM sessions GROUP BY state ORDER BY state", params: [] });
}

function settingsParams(settings: SessionSettings) {
  return [
    settings.title,
    titleWords(settings.title),
    settings.profile,
    settings.model,
    settings.systemPrompt,
    settings.workspace,
    JSON.stringify(settings.labels),
    JSON.stringify(settings.limits),
    settings.starred ? 1 : 0,
    settings.resumeAfterRestart ? 1 : 0,
    settings.retryPartial ? 1 : 0,
    settings.approvalMode,
  ] as const;
}

/** What a session brings along from where it comes. */
export interface SessionOrigin {
  readonly forkedFrom?: string;
  readonly usage?: Usage;
  readonly createTimeMs?: number;
  readonly updateTimeMs?: number;
  /** The call that starts it, and the first session of that chain. */
  readonly parent?: ParentCall & { readonly rootSessionId: string };
}

/** The columns of a new session's row but for its key and its revision. */
export const SESSION_COLUMNS = `id, title, title_folded, profile, model, system_prompt, workspace, labels, limits, starred,
  resume_after_restart, retry_partial, approval_mode, agent, forked_from, state, running_turn_id, last_turn_id, last_seq, input_tokens,
  output_tokens, reasoning_tokens, cached_input_tokens, model_calls, create_time_ms, update_time_ms`;

/** One mark for each of `SESSION_COLUMNS`. */
export const SESSION_MARKS = SESSION_COLUMNS.replaceAll(/\w+/g, "?");

/** What `SESSION_COLUMNS` hold of a session that is new here. */
export function sessionParams(id: string, settings: SessionSettings, nowMs: number, origin: SessionOrigin): SqlValue[] {
  const { forkedFrom = "", usage = NO_USAGE, createTimeMs = nowMs, updateTimeMs = nowMs } = origin;
  const { inputTokens, outputTokens, reasoningTokens, cachedInputTokens, modelCalls } = usage;
  const used = [inputTokens, outputTokens, reasoningTokens, cachedInputTokens, modelCalls];
  const agent = settings.agent === undefined ? "" : JSON.stringify(settings.agent);
  return [id, ...settingsParams(settings), agent, forkedFrom, "idle", "", "", 0, ...used, createTimeMs, updateTimeMs];
}

export function insertSession(
  id: string,
  settings: SessionSettings,
  nowMs: number,
  origin: SessionOrigin = {},
): readonly Statement[] {
  const { parent } = origin;
  return [
    NEXT_REVISION,
    {
      sql: `INSERT INTO sessions (${SESSION_COLUMNS}, parent_session_id, parent_turn_id, parent_call_id, root_session_id, revision)
        VALUES (${SESSION_MARKS}, ?, ?, ?, ?, ${REVISION})`,
      params: [
        ...sessionParams(id, settings, nowMs, origin),
        parent?.sessionId ?? "",
        parent?.turnId ?? "",
        parent?.callId ?? "",
        parent?.rootSessionId ?? "",
      ],
    },
  ];
}

/** Its claim is lost where the session was changed after `before` was read. */
export function updateSettings(before: Session, settings: SessionSettings, nowMs: number): readonly Statement[] {
  return [
    NEXT_REVISION,
    {
      sql: `UPDATE sessions SET title = ?, title_folded = ?, profile = ?, model = ?, system_prompt = ?, workspace = ?, labels = ?, limits = ?,
        starred = ?, resume_after_restart = ?, retry_partial = ?, approval_mode = ?, update_time_ms = ?, revision = ${REVISION}
        WHERE id = ? AND update_time_ms = ?`,
      params: [...settingsParams(settings), nowMs, before.id, before.updateTimeMs],
      claim: "settings",
    },
  ];
}

/** Makes a turn the running one. Its claim is lost where another runs, or the last one is not `expectedLast` (empty = any). */
export function setRunning(id: string, turnId: string, expectedLast: string, nowMs: number): readonly Statement[] {
  return [
    NEXT_REVISION,
    {
      sql: `UPDATE sessions SET state = 'running', running_turn_id = ?, last_turn_id = ?, revision = ${REVISION},
        update_time_ms = max(update_time_ms + 1, ?) WHERE id = ? AND running_turn_id = '' AND (? = '' OR last_turn_id = ?)`,
      params: [turnId, turnId, nowMs, id, expectedLast, expectedLast],
      claim: "idle",
    },
  ];
}

/** Says what the turn of a session does; changes nothing where that runs no more. */
export function setTurnState(
  id: string,
  turnId: string,
  state: "running" | "waiting",
  nowMs: number,
): readonly Statement[] {
  return [
    NEXT_REVISION,
    {
      sql: `UPDATE sessions SET state = ?, revision = ${REVISION}, update_time_ms = max(update_time_ms + 1, ?)
        WHERE id = ? AND running_turn_id = ? AND state <> ?`,
      params: [state, nowMs, id, turnId, state],
    },
  ];
}

export function setIdle(id: string, turnId: string, nowMs: number): readonly Statement[] {
  return [
    NEXT_REVISION,
    {
      sql: `UPDATE sessions SET state = 'idle', running_turn_id = '', revision = ${REVISION},
        update_time_ms = max(update_time_ms + 1, ?) WHERE id = ? AND running_turn_id = ?`,
      params: [nowMs, id, turnId],
    },
  ];
}

/** Makes the next turn the running one in the moment the last one ends. */
export function handOver(id: string, fromTurnId: string, toTurnId: string, nowMs: number): readonly Statement[] {
  return [
    NEXT_REVISION,
    {
      sql: `UPDATE sessions SET state = 'running', running_turn_id = ?, last_turn_id = ?, revision = ${REVISION},
        update_time_ms = max(update_time_ms + 1, ?) WHERE id = ? AND running_turn_id = ?`,
      params: [toTurnId, toTurnId, nowMs, id, fromTurnId],
      claim: "turn",
    },
  ];
}

export function addSessionUsage(id: string, usage: Usage): readonly Statement[] {
  return [
    NEXT_REVISION,
    {
      sql: `UPDATE sessions SET input_tokens = input_tokens + ?, output_tokens = output_tokens + ?,
        reasoning_tokens = reasoning_tokens + ?, cached_input_tokens = cached_input_tokens + ?,
        model_calls = model_calls + ?, revision = ${REVISION} WHERE id = ?`,
      params: [
        usage.inputTokens,
        usage.outputTokens,
        usage.reasoningTokens,
        usage.cachedInputTokens,
        usage.modelCalls,
        id,
      ],
    },
  ];
}

/** Takes a session away at once; what belongs to it is removed later, by its key. */
export function removeSession(session: StoredSession, nowMs: number): readonly Statement[] {
  return [
    { sql: "DELETE FROM sessions WHERE key = ?", params: [session.key], claim: "session" },
    { sql: "INSERT INTO removed_sessions (session_key) VALUES (?)", params: [session.key] },
    NEXT_REVISION,
    {
      sql: `INSERT INTO tombstones (revision, kind, id, item_key, create_time_ms) VALUES (${REVISION}, 'session', ?, ?, ?)`,
      params: [session.id, session.key, nowMs],
    },
  ];
}

/** The sessions that started one, the nearest first. */
export async function listAncestors(db: Database, { parent }: Pick<Session, "parent">): Promise<StoredSession[]> {
  if (parent === undefined) return [];
  const rows = await db.all<SessionRow & { level: number }>({
    sql: `WITH RECURSIVE chain (id, parent_id, level) AS (
        SELECT id, parent_session_id, 0 FROM sessions WHERE id = ?
        UNION ALL
        SELECT s.id, s.parent_session_id, chain.level + 1 FROM chain JOIN sessions AS s ON s.id = chain.parent_id
        WHERE chain.parent_id <> ''
      )
      SELECT s.*, chain.level FROM chain JOIN sessions AS s ON s.id = chain.id ORDER BY chain.level`,
    params: [parent.sessionId],
  });
  return rows.map(sessionFromRow);
}

/** The sessions that a session's agents started, the oldest first. */
export async function listChildren(db: Database, sessionId: string): Promise<StoredSession[]> {
  const rows = await db.all<SessionRow>({
    sql: "SELECT * FROM sessions WHERE parent_session_id = ? AND parent_session_id <> '' ORDER BY key",
    params: [sessionId],
  });
  return rows.map(sessionFromRow);
}

/** The session that a call has started; undefined = it is gone. */
export async function findChildOfCall(
  db: Database,
  sessionId: string,
  callId: string,
): Promise<StoredSession | undefined> {
  const row = await db.get<SessionRow>({
    sql: "SELECT * FROM sessions WHERE parent_session_id = ? AND parent_session_id <> '' AND parent_call_id = ?",
    params: [sessionId, callId],
  });
  return row === undefined ? undefined : sessionFromRow(row);
}
