import type { JsonObject } from "../message/message.ts";
import type { StoredSession } from "../session/session-store.ts";
import type { DecisionScope, Permission } from "./permission.ts";
import { checkRule, matchesTool } from "./rule-match.ts";
import { invalidRule, type Rule, type RuleDraft, type RuleScope } from "./rule.ts";
import { makeRule, type RuleDeps } from "./rules.ts";

export interface AnswerWithRule {
  readonly decision: "approve" | "deny";
  readonly scope: DecisionScope | undefined;
  readonly rule: RuleDraft | undefined;
  /** What is to run in the place of what was asked. */
  readonly arguments: JsonObject | undefined;
  readonly actor: string;
}

/** The rule that an answer writes; undefined where it is for once, or nothing is suggested. Throws DomainError `INVALID_RULE`. */
export function ruleOfAnswer(
  deps: Pick<RuleDeps, "newId" | "clock">,
  session: StoredSession,
  permission: Permission,
  { decision, scope, rule, arguments: changed, actor }: AnswerWithRule,
): Rule | undefined {
  const effect = decision === "approve" ? "allow" : "deny";
  if (rule !== undefined) checkGiven(rule, effect, scope, permission);
  const reach = scope ?? rule?.scope ?? "once";
  // Those that are suggested are for what was asked, which is just what somebody who changes it does not want.
  const pattern = rule ?? (changed === undefined ? permission.suggestedRules[0] : undefined);
  if (reach === "once" || pattern === undefined) return undefined;
  const draft: RuleDraft = { effect, scope: reach, tool: pattern.tool, pattern: pattern.pattern };
  checkRule(draft);
  return makeRule(deps, draft, placeOf(session, reach), actor);
}

function checkGiven(rule: RuleDraft, effect: string, scope: DecisionScope | undefined, { tool }: Permission): void {
  if (scope === "once") throw invalidRule("scope", "is ONCE, and rule is for longer; leave one of them out");
  if (scope !== undefined && scope !== rule.scope) throw invalidRule("rule.scope", `must be the scope that is given`);
  if (rule.effect !== effect) throw invalidRule("rule.effect", `must be ${effect.toUpperCase()} with this decision`);
  if (!matchesTool(rule, tool)) throw invalidRule("rule.tool", `must match ${tool}, which is what was asked`);
}

function placeOf({ id, workspace }: StoredSession, scope: RuleScope) {
  switch (scope) {
    case "session":
      return { scope, sessionId: id, workspace: "" };
    case "workspace":
      if (workspace === "") throw invalidRule("scope", "the session has no workspace; give SESSION or GLOBAL");
      return { scope, sessionId: "", workspace };
    case "global":
      return { scope, sessionId: "", workspace: "" };
  }
}
