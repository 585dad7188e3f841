import { keepChanges } from "../../change/keep-changes.ts";
import type { StoredSession } from "../../session/session-store.ts";
import type { Tool } from "../../tool/tool.ts";
import type { CallResult } from "./call-end.ts";
import { createCallOutput } from "./call-output.ts";
import { keepResult } from "./kept-result.ts";
import type { ToolCall } from "./tool-call-store.ts";
import type { TurnDeps } from "../turn-deps.ts";
import type { StoredTurn } from "../turn-store.ts";
import type { RunNewTurn } from "../turn-waker.ts";
import { untilAborted } from "./until-aborted.ts";

/** What a tool may take to end what it has started, when its turn is stopped; a part of the time that a stop may take. */
const MAX_AWAITED_MS = 5000;

/** Where a call runs. */
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
