import type { JsonObject, ToolCallPart, ToolOutcome } from "../../message/message.ts";
import { type CallDecision, decisionFromText } from "../../permission/call-decision.ts";
import { hashOfCall } from "../../permission/call-hash.ts";
import type { Database, Row, Statement } from "../../store/database.ts";

/** Where a call is that has not ended: asked for, waiting for a human, free to run, or running (recorded before it runs). */
export type OpenCallState = "requested" | "waiting" | "approved" | "started";

export type CallState = OpenCallState | ToolOutcome;

const OPEN_STATES: readonly CallState[] = ["requested", "waiting", "approved", "started"] satisfies OpenCallState[];
const OPEN = OPEN_STATES.map((state) => `'${state}'`).join(", ");

export function isOpen({ state }: Pick<ToolCall, "state">): boolean {
  return OPEN_STATES.includes(state);
}

/** Whether a human was asked about a call that has not begun: it waits, or may run. */
export function isAsked({ state }: Pick<ToolCall, "state">): boolean {
  return state === "waiting" || state === "approved";
}

export interface ToolCall {
  readonly id: string;
  readonly messageId: string;
  readonly name: string;
  /** As they run: as the model asked, or as a human changed them. */
  readonly arguments: JsonObject;
  /** Not empty: the model sent no JSON object, and the call is not run. */
  readonly invalidArguments: string;
  readonly state: CallState;
  /** What of it was decided on; empty = it was not yet. */
  readonly hash: string;
  /** Undefined = it came to none yet. */
  readonly decision: CallDecision | undefined;
  /** The request by which a human was asked; empty = nobody was. */
  readonly requestId: string;
  /** Whether a human changed the arguments. */
  readonly isEdited: boolean;
}

export interface CallRow extends Row {
  id: string;
  message_id: string;
  name: string;
  arguments: string;
  invalid_arguments: string;
  state: CallState;
  hash: string;
  decision: string;
  request_id: string;
  edited: number;
}

const COLUMNS = "id, message_id, name, arguments, invalid_arguments, state, hash, decision, request_id, edited";

/** The calls of a turn, in the order they were asked for. */
export async function listCalls(db: Database, turnId: string): Promise<ToolCall[]> {
  const rows = await db.all<CallRow>({
    sql: `SELECT ${COLUMNS} FROM tool_calls WHERE turn_id = ? ORDER BY position`,
    params: [turnId],
  });
  return rows.map(callFromRow);
}

/** Undefined also for a call of another session. */
export async function findCall(db: Database, sessionKey: number, callId: string): Promise<ToolCall | undefined> {
  const row = await db.get<CallRow>({
    sql: `SELECT ${COLUMNS} FROM tool_calls WHERE id = ? AND session_key = ?`,
    params: [callId, sessionKey],
  });
  return row === undefined ? undefined : callFromRow(row);
}

/** Calls of the turn that a session runs which have not ended; answers `CallRow`s. */
export function selectOpenCalls(sessionKey: number): Statement {
  return {
    sql: `SELECT ${COLUMNS} FROM tool_calls
      WHERE turn_id = (SELECT running_turn_id FROM sessions WHERE key = ?) AND state IN (${OPEN}) ORDER BY position`,
    params: [sessionKey],
  };
}

export function callFromRow(row: CallRow): ToolCall {
  return {
    id: row.id,
    messageId: row.message_id,
    name: row.name,
    arguments: JSON.parse(row.arguments) as JsonObject,
    invalidArguments: row.invalid_arguments,
    state: row.state,
    hash: row.hash,
    decision: decisionFromText(row.decision),
    requestId: row.request_id,
    isEdited: row.edited === 1,
  };
}

export function insertCall(
  sessionKey: number,
  turnId: string,
  messageId: string,
  call: ToolCallPart,
  position: number,
): Statement {
  return {
    sql: `INSERT INTO tool_calls (id, session_key, turn_id, message_id, position, name, arguments, invalid_arguments, state)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'requested')`,
    params: [
      call.callId,
      sessionKey,
      turnId,
      messageId,
      position,
      call.name,
      JSON.stringify(call.arguments),
      call.invalidArguments ?? "",
    ],
  };
}

/** Records that a call begins that nobody has to be asked about. Its claim is lost where it is not new any more. */
export function setCallAllowed(call: ToolCall, decision: CallDecision): Statement {
  return {
    sql: "UPDATE tool_calls SET state = 'started', hash = ?, decision = ? WHERE id = ? AND state = 'requested'",
    params: [hashOfCall(call), JSON.stringify(decision), call.id],
    claim: "call",
  };
}

/**
 * Records that a call begins that a human has approved. Its claim is lost where it began before, since a call is never run
 * twice, and where it is not to the letter what was approved.
 */
export function setCallStarted(call: ToolCall): Statement {
  return {
    sql: "UPDATE tool_calls SET state = 'started' WHERE id = ? AND state = 'approved' AND hash = ?",
    params: [call.id, hashOfCall(call)],
    claim: "call",
  };
}

/** Records that a human is asked. Its claim is lost where the call is not new any more. */
export function setCallWaiting(call: ToolCall, requestId: string, decision: CallDecision): Statement {
  return {
    sql: `UPDATE tool_calls SET state = 'waiting', hash = ?, decision = ?, request_id = ?
      WHERE id = ? AND state = 'requested'`,
    params: [hashOfCall(call), JSON.stringify(decision), requestId, call.id],
    claim: "call",
  };
}

/** Records that a call waits for what others say, which is its result. Its claim is lost where it is not to be taken on any more. */
export function setCallAsking(call: ToolCall, requestId: string, decision: CallDecision | undefined): Statement {
  return {
    sql: `UPDATE tool_calls SET state = 'waiting', hash = ?, decision = ?, request_id = ?
      WHERE id = ? AND state IN ('requested', 'approved')`,
    params: [hashOfCall(call), decision === undefined ? "" : JSON.stringify(decision), requestId, call.id],
    claim: "call",
  };
}

/**
 * Records that a call waits for an agent. Its claim `agents` is lost where as many of one root wait as may, or the call is not to
 * be taken on any more.
 */
export function setCallDelegated(
  call: ToolCall,
  decision: CallDecision | undefined,
  { rootSessionId, maxAtOnce }: { readonly rootSessionId: string; readonly maxAtOnce: number },
): Statement {
  const { params, sql } = setCallAsking(call, "", decision);
  return {
    sql: `${sql} AND (SELECT count(*) FROM tool_calls WHERE state = 'waiting' AND request_id = '' AND turn_id IN (
        SELECT running_turn_id FROM sessions WHERE id = ?
        UNION ALL SELECT running_turn_id FROM sessions WHERE root_session_id = ? AND root_session_id <> '')) < ?`,
    params: [...params, rootSessionId, rootSessionId, maxAtOnce],
    claim: "agents",
  };
}

/** What a human let run. */
export interface ApprovedCall {
  readonly callId: string;
  /** That of the call as it was shown. */
  readonly shownHash: string;
  readonly name: string;
  /** In the place of those that were shown; undefined = as shown. */
  readonly arguments: JsonObject | undefined;
  readonly decision: CallDecision;
}

/** Lets a call run that waits. Its claim is lost where it does not wait, or is not to the letter what was shown. */
export function setCallApproved({ callId, shownHash, name, arguments: args, decision }: ApprovedCall): Statement {
  const set = "UPDATE tool_calls SET state = 'approved', decision = ?";
  const where = "WHERE id = ? AND state = 'waiting' AND hash = ?";
  if (args === undefined) {
    return { sql: `${set} ${where}`, params: [JSON.stringify(decision), callId, shownHash], claim: "call" };
  }
  const hash = hashOfCall({ name, arguments: args });
  return {
    sql: `${set}, arguments = ?, hash = ?, edited = 1 ${where}`,
    params: [JSON.stringify(decision), JSON.stringify(args), hash, callId, shownHash],
    claim: "call",
  };
}

export function setCallDecision(callId: string, decision: CallDecision): Statement {
  return { sql: "UPDATE tool_calls SET decision = ? WHERE id = ?", params: [JSON.stringify(decision), callId] };
}

/** Records how a call ended. Its claim is lost where it has ended already. */
export function setCallEnded(callId: string, outcome: ToolOutcome): Statement {
  return {
    sql: `UPDATE tool_calls SET state = ? WHERE id = ? AND state IN (${OPEN})`,
    params: [outcome, callId],
    claim: "call",
  };
}
