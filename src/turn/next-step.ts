import type { StoredMessage } from "../message/message-store.ts";
import type { Request } from "../request/request.ts";
import { isAtWork, type AgentCall } from "./agents/agent-calls.ts";
import { findReached, type Budget, type ReachedLimit } from "./limit/budget.ts";
import { endOfLimit, isGranted, reachedOf } from "./limit/limit-words.ts";
import type { StoredQueued } from "./queue/queue-store.ts";
import type { ToolCall } from "./call/tool-call-store.ts";
import type { Turn, TurnEnd } from "./turn.ts";

/** All that decides what a turn does next, as the store has it. */
export interface TurnView {
  readonly turn: Pick<Turn, "state">;
  /** What it draws on: its own budget first, then those of the turns that wait for it. */
  readonly budgets: readonly Budget[];
  /** The request for more of a limit that it reached; undefined = there is none. */
  readonly limitRequest: Pick<Request, "id" | "state" | "answer" | "context"> | undefined;
  /** The newest message of the turn; undefined for a retry that has not begun. */
  readonly lastMessage: Pick<StoredMessage, "role" | "status" | "parts"> | undefined;
  /** The turn's calls, in the order they were asked for. */
  readonly calls: readonly ToolCall[];
  /** Those of them that wait for agents. */
  readonly agentCalls: readonly AgentCall[];
  /** What was said to the turn while it ran, and is not taken up yet; the first said first. */
  readonly steers: readonly StoredQueued[];
}

export type NextStep =
  | { readonly kind: "call_model" }
  | { readonly kind: "run_tools"; readonly calls: readonly ToolCall[] }
  /** Nothing can be done before others have answered. */
  | { readonly kind: "wait" }
  /** Agents are done, or have not begun though they should have. */
  | { readonly kind: "tend_agents"; readonly agentCalls: readonly AgentCall[] }
  /** A limit is reached: a human is asked for more of it, or that is the end. */
  | { readonly kind: "limit"; readonly reached: ReachedLimit }
  /** A human lets it have as much again. */
  | { readonly kind: "grant"; readonly requestId: string; readonly reached: ReachedLimit }
  | { readonly kind: "take_steers"; readonly steers: readonly StoredQueued[] }
  | { readonly kind: "end"; readonly end: TurnEnd };

/** What to do next. Pure: a restart of the engine asks the same question and gets the same answer. */
export function nextStep(view: TurnView): NextStep {
  const { turn, budgets, limitRequest, lastMessage, calls, steers } = view;
  if (turn.state === "cancelling") return { kind: "end", end: { reason: "cancelled" } };
  const ready = calls.filter(isReady);
  if (ready.length > 0) return { kind: "run_tools", calls: ready };
  const agentCalls = view.agentCalls.filter((call) => !isAtWork(call));
  if (agentCalls.length > 0) return { kind: "tend_agents", agentCalls };
  if (calls.some(({ state }) => state === "waiting")) return { kind: "wait" };
  if (limitRequest !== undefined) return afterLimit(limitRequest);
  const reached = findReached(budgets);
  // What is said while the last answer streams gets one more step, where one is left; else it is the next turn's.
  if (isFinalAnswer(lastMessage) && (steers.length === 0 || reached !== undefined)) {
    return { kind: "end", end: { reason: "completed" } };
  }
  if (reached !== undefined) return { kind: "limit", reached };
  return steers.length > 0 ? { kind: "take_steers", steers } : { kind: "call_model" };
}

/** Whether a call can be taken on: it is to be decided on, or a human has let it run. */
export function isReady({ state }: Pick<ToolCall, "state">): boolean {
  return state === "requested" || state === "approved";
}

function afterLimit(request: NonNullable<TurnView["limitRequest"]>): NextStep {
  if (request.state === "open") return { kind: "wait" };
  const reached = reachedOf(request);
  if (isGranted(request)) return { kind: "grant", requestId: request.id, reached };
  return { kind: "end", end: endOfLimit(reached) };
}

/** Whether nothing is left to be said by the model. */
export function isFinalAnswer(message: TurnView["lastMessage"]): boolean {
  return (
    message?.role === "assistant" &&
    message.status === "complete" &&
    !message.parts.some((part) => part.kind === "tool_call")
  );
}
