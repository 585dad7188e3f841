import { keepChanges } from "../change/keep-changes.ts";
import type { Clock } from "../clock.ts";
import type { EventPayload } from "../event/event.ts";
import type { ToolOutcome } from "../message/message.ts";
import { insertMessage } from "../message/message-store.ts";
import type { StoredSession } from "../session/session-store.ts";
import type { Statement } from "../store/database.ts";
import { insertTodos } from "../todo/todo-store.ts";
import type { Tool, ToolResult } from "../tool/tool.ts";
import { createCallOutput } from "./call-output.ts";
import { type KeptResult, keepResult } from "./kept-result.ts";
import { setCallEnded, type ToolCall } from "./tool-call-store.ts";
import type { TurnDeps } from "./turn-deps.ts";
import type { StoredTurn } from "./turn-store.ts";
import type { RunNewTurn } from "./turn-waker.ts";

/** What a tool may take to end what it has started, when its turn is stopped; a part of the time that a stop may take. */
const MAX_AWAITED_MS = 5000;

export interface CallResult extends KeptResult, Pick<ToolResult, "todos"> {
  readonly outcome: ToolOutcome;
}

export interface CallScope {
  readonly deps: TurnDeps;
  readonly session: StoredSession;
  readonly turn: StoredTurn;
  readonly signal: AbortSignal;
  /** Of an agent that a call starts. */
  readonly runNew: RunNewTurn;
}

/** Rejects only when the turn is stopped; whatever the tool throws is what the model is told. */
export async function runCall(call: ToolCall, tool: Tool, scope: CallScope): Promise<CallResult> {
  const { deps, session, turn, signal } = scope;
  try {
    const { id: sessionId, workspace } = session;
    const place = { sessionId, workspace, turnId: turn.id, callId: call.id };
    const { output, close } = createCallOutput(deps.log, place);
    const changes = keepChanges(deps, { session, turnId: turn.id, callId: call.id, signal });
    const running = tool.run(call.arguments, { ...place, signal, changes, output });
    const graceMs = tool.isAwaited === true ? MAX_AWAITED_MS : 0;
    const result = await untilAborted(running, signal, deps.clock, graceMs).finally(close);
    const { todos } = result;
    return { outcome: "succeeded", ...(await keepResult(deps.blobs, result)), ...(todos !== undefined && { todos }) };
  } catch (error) {
    signal.throwIfAborted();
    const text = error instanceof Error ? error.message : String(error);
    return { outcome: "failed", ...(await keepResult(deps.blobs, { text })) };
  }
}

/** A tool that does not listen to its signal does not hold up the end of its turn; one that ends what it has started gets `graceMs`. */
export function untilAborted<T>(promise: Promise<T>, signal: AbortSignal, clock: Clock, graceMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    let cancelTimer: (() => void) | undefined;
    const refuse = (): void => reject(signal.reason as Error);
    const onAbort = (): void => {
      if (graceMs === 0) refuse();
      else cancelTimer = clock.after(graceMs, refuse);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => {
      signal.removeEventListener("abort", onAbort);
      cancelTimer?.();
    });
    if (signal.aborted) onAbort();
  });
}

/** The facts of a call that is over: its end, which is also its message. */
export function toolCallEnded(
  deps: Pick<TurnDeps, "newId">,
  session: Pick<StoredSession, "id" | "key">,
  turnId: string,
  callId: string,
  { todos, ...result }: CallResult,
) {
  const messageId = deps.newId("msg");
  const events: EventPayload[] = [
    { kind: "tool_call_ended", callId, ...result, messageId },
    ...(todos === undefined ? [] : [{ kind: "todo_changed", items: todos } as const]),
  ];
  const changes = (seq: number, createTimeMs: number): readonly Statement[] => [
    setCallEnded(callId, result.outcome),
    insertMessage(
      session.key,
      {
        id: messageId,
        sessionId: session.id,
        turnId,
        role: "tool",
        status: "complete",
        parts: [{ kind: "tool_result", callId, ...result }],
        model: "",
        usage: undefined,
        createTimeMs,
      },
      seq,
    ),
    ...(todos === undefined ? [] : [insertTodos(session.key, seq + 1, todos)]),
  ];
  return { turnId, events, changes };
}
