import { DomainError } from "../errors.ts";
import type { Database, Row, Statement } from "../store/database.ts";
import type { Usage } from "../usage/usage.ts";
import type { Turn, TurnEndReason, TurnError, TurnState } from "./turn.ts";

export interface TurnRow extends Row {
  id: string;
  session_key: number;
  session_id: string;
  first_seq: number;
  state: TurnState;
  end_reason: TurnEndReason | "";
  error: string;
  model: string;
  model_override: string;
  actor: string;
  steps: number;
  usage: string;
  recoveries: number;
  queued_id: string;
  worked_ms: number;
  granted_steps: number;
  granted_tokens: number;
  granted_time_ms: number;
  limit_request_id: string;
  answered: number;
  create_time_ms: number;
  end_time_ms: number | null;
}

export interface Granted {
  readonly steps: number;
  readonly tokens: number;
  readonly timeMs: number;
}

export const NOTHING_GRANTED: Granted = { steps: 0, tokens: 0, timeMs: 0 };

/** A turn with what only its runner needs. */
export interface StoredTurn extends Turn {
  readonly sessionKey: number;
  /** A model for this turn only; empty = the session's. */
  readonly modelOverride: string;
  /** The name of the token that started it. */
  readonly actor: string;
  /** The queued message it began with; empty = none. */
  readonly queuedId: string;
  /** How often a start of the engine has gone on with it. */
  readonly recoveries: number;
  /** How long it worked before it last began to wait for a human. */
  readonly workedMs: number;
  /** What humans granted it on top of its limits. */
  readonly granted: Granted;
  /** The request that asks for more of a limit that it reached; empty = none. */
  readonly limitRequestId: string;
  /** Whether what it waited for has come since its last step began. */
  readonly isAnswered: boolean;
}

export function turnFromRow(row: TurnRow): StoredTurn {
  return {
    id: row.id,
    sessionKey: row.session_key,
    sessionId: row.session_id,
    firstSeq: row.first_seq,
    state: row.state,
    endReason: row.end_reason === "" ? undefined : row.end_reason,
    error: row.error === "" ? undefined : (JSON.parse(row.error) as TurnError),
    model: row.model,
    modelOverride: row.model_override,
    actor: row.actor,
    steps: row.steps,
    usage: JSON.parse(row.usage) as Usage,
    recoveries: row.recoveries,
    queuedId: row.queued_id,
    workedMs: row.worked_ms,
    granted: { steps: row.granted_steps, tokens: row.granted_tokens, timeMs: row.granted_time_ms },
    limitRequestId: row.limit_request_id,
    isAnswered: row.answered === 1,
    createTimeMs: row.create_time_ms,
    endTimeMs: row.end_time_ms ?? undefined,
  };
}

/** Undefined also for a turn of another session. */
export async function findTurn(db: Database, sessionId: string, turnId: string): Promise<StoredTurn | undefined> {
  const row = await db.get<TurnRow>({
    sql: "SELECT * FROM turns WHERE id = ? AND session_id = ?",
    params: [turnId, sessionId],
  });
  return row === undefined ? undefined : turnFromRow(row);
}

/** The turn that a session runs; answers a `TurnRow`, or nothing. */
export function selectRunningTurn(sessionKey: number): Statement {
  return {
    sql: "SELECT * FROM turns WHERE id = (SELECT running_turn_id FROM sessions WHERE key = ?)",
    params: [sessionKey],
  };
}

/** Throws DomainError `TURN_NOT_FOUND`. */
export async function getTurn(db: Database, sessionId: string, turnId: string): Promise<StoredTurn> {
  const turn = await findTurn(db, sessionId, turnId);
  if (turn !== undefined) return turn;
  throw new DomainError("not_found", "TURN_NOT_FOUND", `session ${sessionId} has no turn ${turnId}`, {
    session_id: sessionId,
    turn_id: turnId,
  });
}

/** The turn that began with a queued message. */
export async function findTurnOfQueued(
  db: Database,
  sessionKey: number,
  queuedId: string,
): Promise<StoredTurn | undefined> {
  const row = await db.get<TurnRow>({
    sql: "SELECT * FROM turns WHERE session_key = ? AND queued_id = ?",
    params: [sessionKey, queuedId],
  });
  return row === undefined ? undefined : turnFromRow(row);
}

/** A session's turns that began before `beforeSeq` (undefined = from the newest), the newest first. */
export async function listTurnsBefore(
  db: Database,
  sessionKey: number,
  beforeSeq: number | undefined,
  limit: number,
): Promise<StoredTurn[]> {
  const rows = await db.all<TurnRow>({
    sql: "SELECT * FROM turns WHERE session_key = ? AND first_seq < ? ORDER BY first_seq DESC LIMIT ?",
    params: [sessionKey, beforeSeq ?? Number.MAX_SAFE_INTEGER, limit],
  });
  return rows.map(turnFromRow);
}

/** Those that have not ended, but for those that rest until a human has answered. */
export async function listBusyTurns(db: Database): Promise<StoredTurn[]> {
  const rows = await db.all<TurnRow>({
    sql: "SELECT * FROM turns WHERE state <> 'ended' AND state <> 'waiting' ORDER BY create_time_ms",
    params: [],
  });
  return rows.map(turnFromRow);
}

export function insertTurn(turn: StoredTurn): Statement {
  return {
    sql: `INSERT INTO turns (id, session_key, session_id, first_seq, state, end_reason, error, model, model_override, actor,
      steps, usage, recoveries, queued_id, create_time_ms, end_time_ms)
      VALUES (?, ?, ?, ?, ?, '', '', ?, ?, ?, ?, ?, 0, ?, ?, NULL)`,
    params: [
      turn.id,
      turn.sessionKey,
      turn.sessionId,
      turn.firstSeq,
      turn.state,
      turn.model,
      turn.modelOverride,
      turn.actor,
      turn.steps,
      JSON.stringify(turn.usage),
      turn.queuedId,
      turn.createTimeMs,
    ],
  };
}

export function setTurnSteps(turnId: string, steps: number): Statement {
  return { sql: "UPDATE turns SET steps = ?, answered = 0 WHERE id = ?", params: [steps, turnId] };
}

export function setTurnUsage(turnId: string, usage: Usage): Statement {
  return { sql: "UPDATE turns SET usage = ? WHERE id = ?", params: [JSON.stringify(usage), turnId] };
}

/** Accepts a cancel. Changes nothing of a turn that has ended. */
export function setCancelling(turnId: string): Statement {
  const states = "('running', 'waiting')";
  return { sql: `UPDATE turns SET state = 'cancelling' WHERE id = ? AND state IN ${states}`, params: [turnId] };
}

/**
 * Lets a turn rest until a human has answered. Its claim is lost where it does not run, or somebody has answered meanwhile: a
 * call could go on.
 */
export function setTurnWaiting(turnId: string, workedMs: number): Statement {
  return {
    sql: `UPDATE turns SET state = 'waiting', worked_ms = ? WHERE id = ? AND state = 'running'
      AND (EXISTS (SELECT 1 FROM requests WHERE session_key = turns.session_key AND state = 'open' AND turn_id = turns.id)
        OR EXISTS (SELECT 1 FROM sessions WHERE parent_session_id = turns.session_id AND parent_session_id <> ''
          AND parent_turn_id = turns.id AND state <> 'idle'))
      AND NOT EXISTS (SELECT 1 FROM tool_calls WHERE turn_id = turns.id AND state IN ('requested', 'approved', 'started'))`,
    params: [workedMs, turnId],
    claim: "wait",
  };
}

/** Lets a turn go on with what it waited for, whether it rests already or not. */
export function setTurnGoingOn(turnId: string): Statement {
  return {
    sql: "UPDATE turns SET state = 'running', answered = 1 WHERE id = ? AND state IN ('running', 'waiting')",
    params: [turnId],
  };
}

/** Records which request asks for more of a limit. Its claim is lost where one does already, or the turn runs no more. */
export function setLimitRequest(turnId: string, requestId: string): Statement {
  return {
    sql: "UPDATE turns SET limit_request_id = ? WHERE id = ? AND state = 'running' AND limit_request_id = ''",
    params: [requestId, turnId],
    claim: "limit",
  };
}

/** Takes the answer of a request for more up. Its claim is lost where that was done before. */
export function clearLimitRequest(turnId: string, requestId: string): Statement {
  return {
    sql: "UPDATE turns SET limit_request_id = '' WHERE id = ? AND limit_request_id = ?",
    params: [turnId, requestId],
    claim: "limit",
  };
}

export function grantMore(turnId: string, { steps, tokens, timeMs }: Granted): Statement {
  return {
    sql: `UPDATE turns SET granted_steps = granted_steps + ?, granted_tokens = granted_tokens + ?,
      granted_time_ms = granted_time_ms + ? WHERE id = ?`,
    params: [steps, tokens, timeMs, turnId],
  };
}

export function setRecovered(turnId: string, recoveries: number): Statement {
  return { sql: "UPDATE turns SET recoveries = ? WHERE id = ?", params: [recoveries, turnId] };
}

/** Ends a turn, with the number of its `turn_ended`. Its claim is lost where it has ended already: a turn has one end. */
export function setTurnEnded(
  turnId: string,
  reason: TurnEndReason,
  error: TurnError | undefined,
  nowMs: number,
  endSeq: number,
): Statement {
  return {
    sql: `UPDATE turns SET state = 'ended', end_reason = ?, error = ?, end_time_ms = ?, end_seq = ?
      WHERE id = ? AND state <> 'ended'`,
    params: [reason, error === undefined ? "" : JSON.stringify(error), nowMs, endSeq, turnId],
    claim: "turn",
  };
}

/** The first turn that a session ever had; undefined = it had none. */
export async function findFirstTurn(db: Database, sessionKey: number): Promise<StoredTurn | undefined> {
  const row = await db.get<TurnRow>({
    sql: "SELECT * FROM turns WHERE session_key = ? ORDER BY first_seq LIMIT 1",
    params: [sessionKey],
  });
  return row === undefined ? undefined : turnFromRow(row);
}

/** Turns that rest until agents are done, which they may have been when the engine stopped. */
export async function listTurnsWithAgents(db: Database): Promise<StoredTurn[]> {
  const rows = await db.all<TurnRow>({
    sql: `SELECT * FROM turns WHERE state = 'waiting'
      AND EXISTS (SELECT 1 FROM tool_calls WHERE turn_id = turns.id AND state = 'waiting' AND request_id = '')`,
    params: [],
  });
  return rows.map(turnFromRow);
}

/** Cancels the turns that do tasks for turns that are being cancelled; not those that they have started in turn. */
export function cancelAgentsOfCancelled(): Statement {
  return {
    sql: `UPDATE turns SET state = 'cancelling' WHERE state IN ('running', 'waiting')
      AND first_seq = (SELECT min(first_seq) FROM turns AS t WHERE t.session_key = turns.session_key)
      AND session_key IN (SELECT key FROM sessions WHERE parent_session_id <> ''
        AND parent_turn_id IN (SELECT id FROM turns WHERE state = 'cancelling'))`,
    params: [],
  };
}
