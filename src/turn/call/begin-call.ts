import { joinFacts } from "../../event/facts.ts";
import type { ToolOutcome } from "../../message/message.ts";
import type { CallDecision } from "../../permission/call-decision.ts";
import type { Statement } from "../../store/database.ts";
import type { Tool } from "../../tool/tool.ts";
import type { ToolCall } from "./tool-call-store.ts";
import { auditOfDecision, auditOfEnd, auditOfStart } from "./call-audit.ts";
import { toolCallEnded, type CallResult } from "./call-end.ts";
import { runCall, type CallScope } from "./run-call.ts";

const NOT_KNOWN = { level: "unknown", reason: "what was decided on it was not kept" } as const;

/** The most of changed arguments that the model is told, in characters. */
const MAX_ARGUMENTS_CHARS = 16 * 1024;

/** A call that may run. */
export interface FreeCall {
  readonly tool: Tool;
  /** By which it may run; undefined = none was kept. */
  readonly decision: CallDecision | undefined;
  /** Its claim is lost where the call began before, or is not what was decided on. */
  readonly start: Statement;
}

/** Lets a call run: it is recorded as started before it does, and with its result when it ends. */
export async function beginCall(scope: CallScope, call: ToolCall, free: FreeCall): Promise<void> {
  const { deps, session, turn, signal } = scope;
  const { id: callId, name } = call;
  const place = { sessionId: session.id, turnId: turn.id };
  await deps.log.append(session.id, {
    turnId: turn.id,
    events: [{ kind: "tool_call_started", callId, name, arguments: call.arguments }],
    changes: (_firstSeq, nowMs) => [
      free.start,
      // A human's has been written down with the answer.
      ...(call.state === "approved" || free.decision === undefined
        ? []
        : [auditOfDecision(place, call, free.decision, nowMs)]),
      auditOfStart(place, call, nowMs),
    ],
  });
  signal.throwIfAborted();
  const result = await runAndTell(scope, call, free);
  const told = { ...result, text: withEdit(call, result.text) };
  const facts = joinFacts(toolCallEnded(deps, session, turn.id, callId, told), auditOfEnd(place, call, told.outcome));
  await deps.log.append(session.id, { turnId: turn.id, ...facts });
}

/** Runs a call, and tells the hooks how that went, also where its turn was stopped. */
async function runAndTell(scope: CallScope, call: ToolCall, { tool, decision }: FreeCall): Promise<CallResult> {
  const { deps, session, turn } = scope;
  const startMs = deps.clock.monotonic();
  const tell = (outcome: ToolOutcome, result: string): void =>
    deps.hooks.tell({
      sessionId: session.id,
      turnId: turn.id,
      callId: call.id,
      workspace: session.workspace,
      tool: call.name,
      arguments: call.arguments,
      risk: decision?.risk ?? NOT_KNOWN,
      outcome,
      durationMs: Math.round(deps.clock.monotonic() - startMs),
      result,
    });
  try {
    const result = await runCall(call, tool, scope);
    tell(result.outcome, result.text);
    return result;
  } catch (error) {
    tell("cancelled", "");
    throw error;
  }
}

/** The model has to know what ran where that is not what it asked for. */
function withEdit({ isEdited, arguments: args }: ToolCall, text: string): string {
  if (!isEdited) return text;
  const json = JSON.stringify(args);
  const ran = json.length <= MAX_ARGUMENTS_CHARS ? json : `${json.slice(0, MAX_ARGUMENTS_CHARS).toWellFormed()} [cut]`;
  return `[A human changed the arguments before it ran; it ran with: ${ran}]\n${text}`;
}
