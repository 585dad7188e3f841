import type { Risk } from "../tool/tool.ts";
import type { Verdict } from "./policy.ts";
import type { Rule } from "./rule.ts";

/** What was decided on a call that was made. */
export interface CallDecision {
  /** `ask` while a human is asked. */
  readonly verdict: Verdict;
  readonly risk: Risk;
  /** In words. */
  readonly reason: string;
  /** The rule that decided, as it was then; absent where none did. */
  readonly rule?: Rule;
  /** The name of the token that answered; empty = rules and mode decided. */
  readonly decidedBy: string;
  /** Absent while a human is asked. */
  readonly decideTimeMs?: number;
}

export function decisionFromText(text: string): CallDecision | undefined {
  return text === "" ? undefined : (JSON.parse(text) as CallDecision);
}
