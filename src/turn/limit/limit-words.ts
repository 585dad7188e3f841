import type { JsonObject } from "../../message/message.ts";
import type { Request } from "../../request/request.ts";
import type { QuestionOption } from "../../tool/tool.ts";
import { LIMIT_REASONS, type LimitReason, type ReachedLimit } from "./budget.ts";
import type { TurnEnd } from "../turn.ts";

const CONTINUE = "continue";
const STOP = "stop";

/** What a limit is counted in, where it is set, and how much of it is said. */
const KINDS: Readonly<Record<LimitReason, { readonly setting: string; readonly say: (amount: number) => string }>> = {
  STEPS_EXHAUSTED: { setting: "limits.max_steps", say: (steps) => `${steps} ${steps === 1 ? "step" : "steps"}` },
  TOKENS_EXHAUSTED: { setting: "limits.max_tokens", say: (tokens) => `${tokens} tokens` },
  TIME_EXHAUSTED: { setting: "limits.max_working_time", say: sayTime },
};

function sayTime(ms: number): string {
  if (ms < 120_000) return `${Math.round(ms / 1000)} s`;
  return `${Math.round(ms / 60_000)} minutes`;
}

/** What a human is asked where a limit is reached. */
export function questionOfLimit(reached: ReachedLimit, sessionId: string) {
  const { reason, used, limit } = reached;
  const { setting, say } = KINDS[reason];
  const isOwn = reached.sessionId === sessionId;
  const whose = isOwn ? "This turn" : "The turn whose agent this is, together with the agents that it started,";
  const body = `Without an answer it waits; with any other than to go on it ends. The limit is \`${setting}\` of session \`${reached.sessionId}\`.`;
  const options: readonly QuestionOption[] = [
    { id: CONTINUE, label: "Go on", description: `With as much again: ${say(reached.amount)}.` },
    { id: STOP, label: "Stop", description: "The turn ends here." },
  ];
  const { amount, turnId, sessionId: ofSession } = reached;
  const context: JsonObject = { reason, used, limit, amount, turn_id: turnId, session_id: ofSession };
  return { title: `${whose} used its ${say(limit)}: go on?`, body, options, context };
}

/** What a request for more of a limit is about. */
export function reachedOf({ context = {} }: { readonly context: JsonObject | undefined }): ReachedLimit {
  const reason = LIMIT_REASONS.find((known) => known === context["reason"]) ?? "STEPS_EXHAUSTED";
  return {
    reason,
    used: Number(context["used"]),
    limit: Number(context["limit"]),
    amount: Number(context["amount"]),
    turnId: textIn(context, "turn_id"),
    sessionId: textIn(context, "session_id"),
  };
}

function textIn(context: JsonObject, name: string): string {
  const value = context[name];
  return typeof value === "string" ? value : "";
}

/** Whether a human said to go on; every other end of the request is a no. */
export function isGranted({ state, answer }: Pick<Request, "state" | "answer">): boolean {
  return state === "answered" && answer?.kind === "option" && answer.optionId === CONTINUE;
}

/** How a turn ends that has reached a limit. */
export function endOfLimit({ reason, used, limit }: ReachedLimit): TurnEnd {
  const { setting, say } = KINDS[reason];
  const what = reason === "TOKENS_EXHAUSTED" ? `${used} of its ${say(limit)}` : `its ${say(limit)}`;
  const message = `the turn used ${what}; raise ${setting} or retry to go on`;
  return { reason: "limit_reached", error: { reason, message, retryable: true } };
}
