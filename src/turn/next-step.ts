import type { StoredMessage } from "../message/message-store.ts";
import type { StoredQueued } from "./queue-store.ts";
import type { ToolCall } from "./tool-call-store.ts";
import type { Limits, Turn, TurnEndReason, TurnError } from "./turn.ts";

/** All that decides what a turn does next, as the store has it. */
export interface TurnView {
  readonly turn: Pick<Turn, "state" | "steps" | "usage">;
  readonly limits: Limits;
  /** The newest message of the turn; undefined for a retry that has not begun. */
  readonly lastMessage: Pick<StoredMessage, "role" | "status" | "parts"> | undefined;
  /** The turn's calls, in the order they were asked for. */
  readonly calls: readonly ToolCall[];
  /** What was said to the turn while it ran, and is not taken up yet; the first said first. */
  readonly steers: readonly StoredQueued[];
}

/** How a turn ends. */
export interface TurnEnd {
  readonly reason: TurnEndReason;
  readonly error?: TurnError;
}

export type NextStep =
  | { readonly kind: "call_model" }
  | { readonly kind: "run_tools"; readonly calls: readonly ToolCall[] }
  /** Nothing can be done before a human has answered. */
  | { readonly kind: "wait" }
  | { readonly kind: "take_steers"; readonly steers: readonly StoredQueued[] }
  | { readonly kind: "end"; readonly end: TurnEnd };

/** What to do next. Pure: a restart of the engine asks the same question and gets the same answer. */
export function nextStep({ turn, limits, lastMessage, calls, steers }: TurnView): NextStep {
  if (turn.state === "cancelling") return { kind: "end", end: { reason: "cancelled" } };
  const ready = calls.filter(isReady);
  if (ready.length > 0) return { kind: "run_tools", calls: ready };
  if (calls.some(({ state }) => state === "waiting")) return { kind: "wait" };
  const limit = limitReachedBy(turn, limits);
  // What is said while the last answer streams gets one more step, where one is left; else it is the next turn's.
  if (isFinalAnswer(lastMessage) && (steers.length === 0 || limit !== undefined)) {
    return { kind: "end", end: { reason: "completed" } };
  }
  if (limit !== undefined) return limit;
  return steers.length > 0 ? { kind: "take_steers", steers } : { kind: "call_model" };
}

/** Whether a call can be taken on: it is to be decided on, or a human has let it run. */
export function isReady({ state }: Pick<ToolCall, "state">): boolean {
  return state === "requested" || state === "approved";
}

function limitReachedBy(turn: TurnView["turn"], limits: Limits): NextStep | undefined {
  if (turn.steps >= limits.maxSteps) {
    return limitReached(
      "STEPS_EXHAUSTED",
      `the turn used its ${limits.maxSteps} steps; raise limits.max_steps or retry to go on`,
    );
  }
  const tokens = turn.usage.inputTokens + turn.usage.outputTokens;
  if (limits.maxTokens > 0 && tokens >= limits.maxTokens) {
    return limitReached(
      "TOKENS_EXHAUSTED",
      `the turn used ${tokens} of its ${limits.maxTokens} tokens; raise limits.max_tokens or retry to go on`,
    );
  }
  return undefined;
}

/** Whether nothing is left to be said by the model. */
export function isFinalAnswer(message: TurnView["lastMessage"]): boolean {
  return (
    message?.role === "assistant" &&
    message.status === "complete" &&
    !message.parts.some((part) => part.kind === "tool_call")
  );
}

function limitReached(reason: string, message: string): NextStep {
  return { kind: "end", end: { reason: "limit_reached", error: { reason, message, retryable: true } } };
}
