import { DomainError } from "../errors.ts";

/** What a rule says of the calls it matches, in the order in which they win. */
export const EFFECTS = ["deny", "ask", "allow"] as const;
export type Effect = (typeof EFFECTS)[number];

export type RuleScope = "session" | "workspace" | "global";

/** A rule that is to be made. */
export interface RuleDraft {
  readonly effect: Effect;
  readonly scope: RuleScope;
  /** A tool's name; `*` at its end stands for any ending. */
  readonly tool: string;
  /** Which calls of the tool; empty = all. See `rule-match.ts`. */
  readonly pattern: string;
}

/** A stored decision for calls like one. */
export interface Rule extends RuleDraft {
  readonly id: string;
  /** Of scope session: which; else empty. */
  readonly sessionId: string;
  /** Of scope workspace: the canonical folder; else empty. */
  readonly workspace: string;
  readonly createdBy: string;
  readonly createTimeMs: number;
  /** Undefined = it holds until it is taken back. */
  readonly expireTimeMs: number | undefined;
}

/** How many rules a session, a folder, and all sessions together have at most. */
export const MAX_RULES = 300;

export function ruleNotFound(id: string): DomainError {
  return new DomainError("not_found", "RULE_NOT_FOUND", `there is no rule ${id}`, { rule_id: id });
}

export function invalidRule(field: string, message: string): DomainError {
  return new DomainError("invalid", "INVALID_RULE", `${field}: ${message}`, { field });
}

export function tooManyRules(scope: RuleScope): DomainError {
  return new DomainError(
    "exhausted",
    "TOO_MANY_RULES",
    `there are ${MAX_RULES} rules of scope ${scope} already; take some back, or make wider ones`,
  );
}
