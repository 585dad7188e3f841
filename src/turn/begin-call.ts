import type { Statement } from "../store/database.ts";
import type { Tool } from "../tool/tool.ts";
import type { ToolCall } from "./tool-call-store.ts";
import { runCall, toolCallEnded, type CallScope } from "./tool-step.ts";

/** The most of changed arguments that the model is told, in characters. */
const MAX_ARGUMENTS_CHARS = 16 * 1024;

/** A call that may run. */
export interface FreeCall {
  readonly tool: Tool;
  /** Its claim is lost where the call began before, or is not what was decided on. */
  readonly start: Statement;
}

/** Lets a call run: it is recorded as started before it does, and with its result when it ends. */
export async function beginCall(scope: CallScope, call: ToolCall, { tool, start }: FreeCall): Promise<void> {
  const { deps, session, turn, signal } = scope;
  const { id: callId, name } = call;
  await deps.log.append(session.id, {
    turnId: turn.id,
    events: [{ kind: "tool_call_started", callId, name, arguments: call.arguments }],
    changes: () => [start],
  });
  signal.throwIfAborted();
  const result = await runCall(call, tool, scope);
  const told = { ...result, text: withEdit(call, result.text) };
  await deps.log.append(session.id, toolCallEnded(deps, session, turn.id, callId, told));
}

/** The model has to know what ran where that is not what it asked for. */
function withEdit({ isEdited, arguments: args }: ToolCall, text: string): string {
  if (!isEdited) return text;
  const json = JSON.stringify(args);
  const ran = json.length <= MAX_ARGUMENTS_CHARS ? json : `${json.slice(0, MAX_ARGUMENTS_CHARS).toWellFormed()} [cut]`;
  return `[A human changed the arguments before it ran; it ran with: ${ran}]\n${text}`;
}
