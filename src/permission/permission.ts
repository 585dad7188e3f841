import type { JsonObject } from "../message/message.ts";
import type { RiskLevel } from "../tool/tool.ts";
import type { Rule, RuleDraft, RuleScope } from "./rule.ts";

/** What a human is asked to permit: one tool call, exactly. */
export interface Permission {
  readonly tool: string;
  readonly callId: string;
  readonly arguments: JsonObject;
  /** What it would change in files, as a unified diff; empty where it changes none, or cannot tell before. */
  readonly diff: string;
  readonly risk: RiskLevel;
  /** Why a human is asked, in words. */
  readonly reason: string;
  /** The narrowest first. */
  readonly suggestedRules: readonly RuleDraft[];
}

/** How far a decision reaches. */
export type DecisionScope = "once" | RuleScope;

/** What a human said to a call. */
export interface PermissionAnswer {
  readonly kind: "permission";
  readonly decision: "approve" | "deny";
  /** As it was applied. */
  readonly scope: DecisionScope;
  /** The rule that was written; absent = none. */
  readonly rule?: Rule;
  /** What runs in the place of what was asked; absent = as asked. */
  readonly arguments?: JsonObject;
  /** As the model is told; may be empty. */
  readonly reason: string;
}
