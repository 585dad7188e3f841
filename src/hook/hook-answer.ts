import { HookFailed } from "./hook.ts";

/** What hooks say of a call, the strictest first. `none`: what was decided without it stands. */
export const HOOK_DECISIONS = ["deny", "ask", "allow", "none"] as const;
export type HookDecision = (typeof HOOK_DECISIONS)[number];

export interface HookAnswer {
  readonly decision: HookDecision;
  /** For the human who is asked and the model that is denied, as it was given; empty = none was. See `toReason`. */
  readonly reason: string;
}

/** A longer answer is none. */
export const MAX_ANSWER_BYTES = 64 * 1024;

const MAX_REASON_CHARS = 500;

/** Reads `{"decision": ..., "reason": ...}`. Throws `HookFailed`. */
export function parseAnswer(text: string): HookAnswer {
  if (text.trim() === "") throw new HookFailed("it answered nothing");
  const value = parseJson(text);
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new HookFailed("it answered no JSON object");
  const { decision, reason = "" } = value as { readonly decision?: unknown; readonly reason?: unknown };
  const known = HOOK_DECISIONS.find((name) => name === decision);
  if (known === undefined) throw new HookFailed(`its answer's decision is not one of ${HOOK_DECISIONS.join(", ")}`);
  if (typeof reason !== "string") throw new HookFailed("its answer's reason is no string");
  return { decision: known, reason };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new HookFailed("it answered something that is no JSON");
  }
}

/** One line, without what a terminal would obey, and not too long. */
export function toReason(text: string): string {
  const line = text
    .replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, " ")
    .trim()
    .toWellFormed();
  return line.length <= MAX_REASON_CHARS ? line : `${line.slice(0, MAX_REASON_CHARS).toWellFormed()}…`;
}
