import type { JsonObject, ToolCallPart, ToolOutcome } from "../message/message.ts";
import type { Database, Row, Statement } from "../store/database.ts";

/** Where a call is: asked for, running (recorded before it runs), or ended. */
export type CallState = "requested" | "started" | ToolOutcome;

export interface ToolCall {
  readonly id: string;
  readonly messageId: string;
  readonly name: string;
  readonly arguments: JsonObject;
  /** Not empty: the model sent no JSON object, and the call is not run. */
  readonly invalidArguments: string;
  readonly state: CallState;
}

export interface CallRow extends Row {
  id: string;
  message_id: string;
  name: string;
  arguments: string;
  invalid_arguments: string;
  state: CallState;
}

/** The calls of a turn, in the order they were asked for. */
export async function listCalls(db: Database, turnId: string): Promise<ToolCall[]> {
  const rows = await db.all<CallRow>({
    sql: `SELECT id, message_id, name, arguments, invalid_arguments, state FROM tool_calls WHERE turn_id = ? ORDER BY position`,
    params: [turnId],
  });
  return rows.map(callFromRow);
}

/** Calls of the turn that a session runs which have not ended; answers `CallRow`s. */
export function selectOpenCalls(sessionKey: number): Statement {
  return {
    sql: `SELECT id, message_id, name, arguments, invalid_arguments, state FROM tool_calls
      WHERE turn_id = (SELECT running_turn_id FROM sessions WHERE key = ?) AND state IN ('requested', 'started')
      ORDER BY position`,
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

/** Records that a call begins. Its claim is lost where it began before: a call is never run twice. */
export function setCallStarted(callId: string): Statement {
  return {
    sql: "UPDATE tool_calls SET state = 'started' WHERE id = ? AND state = 'requested'",
    params: [callId],
    claim: "call",
  };
}

/** Records how a call ended. Its claim is lost where it has ended already. */
export function setCallEnded(callId: string, outcome: ToolOutcome): Statement {
  return {
    sql: "UPDATE tool_calls SET state = ? WHERE id = ? AND state IN ('requested', 'started')",
    params: [outcome, callId],
    claim: "call",
  };
}
