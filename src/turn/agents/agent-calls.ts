import { joinFacts, type Facts } from "../../event/facts.ts";
import type { ToolOutcome } from "../../message/message.ts";
import { findLastAnswer } from "../../message/message-store.ts";
import { findChildOfCall, type StoredSession } from "../../session/session-store.ts";
import type { Database } from "../../store/database.ts";
import { keepResult } from "../call/kept-result.ts";
import { findFirstTurn, type StoredTurn } from "../turn-store.ts";
import { turnGoesOn } from "../request-end.ts";
import type { ToolCall } from "../call/tool-call-store.ts";
import { toolCallEnded, type CallResult } from "../call/call-end.ts";
import type { TurnDeps } from "../turn-deps.ts";

/** A call that waits for an agent, and where that is. */
export interface AgentCall {
  readonly call: ToolCall;
  /** Undefined = it was deleted. */
  readonly child: StoredSession | undefined;
  /** The turn that does the task; undefined = it has not begun. */
  readonly turn: StoredTurn | undefined;
}

/** Those of a turn's calls that wait for agents. */
export async function readAgentCalls(
  db: Database,
  sessionId: string,
  calls: readonly ToolCall[],
): Promise<AgentCall[]> {
  const waiting = calls.filter(({ state, requestId }) => state === "waiting" && requestId === "");
  return Promise.all(
    waiting.map(async (call) => {
      const child = await findChildOfCall(db, sessionId, call.id);
      return { call, child, turn: child && (await findFirstTurn(db, child.key)) };
    }),
  );
}

/** Whether there is nothing to do for a call but to wait. */
export function isAtWork({ child, turn }: AgentCall): boolean {
  return child !== undefined && turn !== undefined && turn.state !== "ended";
}

/** The facts of a call whose agent is done: what became of the task is its result, and the turn goes on with it. */
export async function agentDone(
  deps: TurnDeps,
  session: StoredSession,
  turn: StoredTurn,
  done: AgentCall,
): Promise<{ readonly facts: Facts; readonly outcome: ToolOutcome }> {
  const result = await resultOf(deps, done);
  const ended = toolCallEnded(deps, session, turn.id, done.call.id, result);
  return { facts: joinFacts(ended, turnGoesOn(session, turn.id)), outcome: result.outcome };
}

async function resultOf(deps: TurnDeps, { child, turn }: AgentCall): Promise<CallResult> {
  if (child === undefined || turn === undefined) {
    return { outcome: "failed", text: "The agent's session was deleted before it was done." };
  }
  const said = (await findLastAnswer(deps.db, child.key, turn.id)) ?? "";
  if (turn.endReason === "completed") {
    const kept = await keepResult(deps.blobs, { text: said === "" ? "The agent is done and said nothing." : said });
    return { outcome: "succeeded", ...kept };
  }
  const why =
    turn.endReason === "cancelled" ? "was cancelled" : `ended before it was done (${turn.error?.reason ?? ""})`;
  const detail = turn.error === undefined ? "" : `: ${turn.error.message}`;
  const last = said === "" ? "" : `\n\nWhat it said last:\n${said}`;
  return { outcome: "failed", ...(await keepResult(deps.blobs, { text: `The agent ${why}${detail}.${last}` })) };
}
