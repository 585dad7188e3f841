import type { Assessment, RiskLevel, Subject } from "../tool/tool.ts";
import type { ApprovalMode } from "./approval-mode.ts";
import type { ProtectedPaths } from "./protected-paths.ts";
import type { Rule } from "./rule.ts";
import { allows, createCatcher, matchesTool, toPart, type Part } from "./rule-match.ts";

export type Verdict = "allow" | "ask" | "deny";

/** What is decided on. */
export interface Question {
  readonly tool: string;
  readonly assessment: Assessment;
  readonly mode: ApprovalMode;
  /** Those that reach the session and have not ended. */
  readonly rules: readonly Rule[];
  /** Canonical; empty = none. */
  readonly workspace: string;
  readonly protectedPaths: Pick<ProtectedPaths, "refusal">;
}

/** What is decided, why, and by which rule if by one. */
export interface Ruling {
  readonly verdict: Verdict;
  readonly reason: string;
  readonly rule?: Rule;
}

/** What a mode makes of each risk where no rule speaks. */
const TABLE: { readonly [M in ApprovalMode]: { readonly [L in RiskLevel]: Verdict } } = {
  confirm_all: { none: "allow", read: "ask", edit: "ask", safe: "ask", destructive: "ask", unknown: "ask" },
  default: { none: "allow", read: "allow", edit: "ask", safe: "ask", destructive: "ask", unknown: "ask" },
  auto_approve_edits: { none: "allow", read: "allow", edit: "allow", safe: "ask", destructive: "ask", unknown: "ask" },
  trust_all: { none: "allow", read: "allow", edit: "allow", safe: "allow", destructive: "allow", unknown: "allow" },
  plan: { none: "allow", read: "allow", edit: "deny", safe: "deny", destructive: "deny", unknown: "deny" },
  restricted: { none: "allow", read: "allow", edit: "deny", safe: "deny", destructive: "deny", unknown: "deny" },
};

const STRICTNESS: Readonly<Record<Verdict, number>> = { allow: 0, ask: 1, deny: 2 };

/** Of several, the one that lets least happen; of equal ones the first. */
export function strictestOf(rulings: readonly Ruling[]): Ruling {
  return rulings.reduce((first, next) => (STRICTNESS[next.verdict] > STRICTNESS[first.verdict] ? next : first));
}

/** Whether a mode allows nothing that another asks about or denies. */
export function isAsStrict(mode: ApprovalMode, than: ApprovalMode): boolean {
  const levels = Object.keys(TABLE[mode]) as RiskLevel[];
  return levels.every((level) => STRICTNESS[TABLE[mode][level]] >= STRICTNESS[TABLE[than][level]]);
}

/**
 * Decides on a call; the first that speaks wins: deny rules, protected paths, PLAN, ask rules, allow rules, the mode with the
 * risk. In RESTRICTED every "ask" is a deny.
 */
export function decidePermission(question: Question): Ruling {
  const ruling = ruleOn(question);
  if (question.mode !== "restricted" || ruling.verdict !== "ask") return ruling;
  return { ...ruling, verdict: "deny", reason: `nobody is asked in this mode: ${ruling.reason}` };
}

function ruleOn(question: Question): Ruling {
  const { tool, assessment, mode, workspace, protectedPaths } = question;
  const { risk, subjects } = assessment;
  const rules = question.rules.filter((rule) => matchesTool(rule, tool));
  const parts = subjects.map(toPart);
  const denied = find(rules, "deny", parts, workspace);
  if (denied !== undefined) return byRule("deny", denied);
  for (const subject of subjects) {
    const refusal = protectedPaths.refusal(subject, workspace);
    if (refusal !== undefined) return { verdict: "deny", reason: refusal };
  }
  const isReading = risk.level === "none" || risk.level === "read";
  if (mode === "plan" && !isReading) {
    return { verdict: "deny", reason: `this mode looks and does not touch: ${risk.reason}` };
  }
  const asked = find(rules, "ask", parts, workspace);
  if (asked !== undefined) return byRule("ask", asked);
  if (assessment.onlyOnce === true) return ruleOnUnclear(question, rules);
  const allowing = allowingRules(rules, subjects, workspace);
  if (allowing !== undefined) return byRule("allow", allowing);
  // It waits for a human, and there is none.
  if (tool === "ask_human" && mode === "restricted") return { verdict: "deny", reason: "there is nobody to be asked" };
  return byMode(question);
}

/** No rule can allow it. Where a rule, or what is protected, forbids some of what it might turn out to be, no mode can either. */
function ruleOnUnclear(question: Question, rules: readonly Rule[]): Ruling {
  const { mode, assessment } = question;
  if (mode === "trust_all" && assessment.isUnseen === true) {
    return { verdict: "ask", reason: `${assessment.risk.reason}, so it may touch what is protected` };
  }
  const limiting = rules.find(({ effect }) => effect !== "allow");
  if (mode === "trust_all" && limiting !== undefined) {
    return { verdict: "ask", reason: `${assessment.risk.reason}, so a rule may speak against it`, rule: limiting };
  }
  return byMode(question);
}

/** Of what is harmless nobody would guess why it is asked about. */
const HARMLESS: ReadonlySet<RiskLevel> = new Set(["none", "read", "edit", "safe"]);

function byMode({ mode, assessment: { risk } }: Question): Ruling {
  const verdict = TABLE[mode][risk.level];
  const isStrict = verdict === "ask" && HARMLESS.has(risk.level);
  return { verdict, reason: isStrict ? `${risk.reason}; the mode ${mode} asks about that` : risk.reason };
}

function byRule(verdict: Verdict, rule: Rule): Ruling {
  const what = rule.pattern === "" ? `every call of ${rule.tool}` : `${rule.tool} ${rule.pattern}`;
  const words = { allow: "allows", ask: "asks about", deny: "denies" }[verdict];
  return { verdict, reason: `a rule of scope ${rule.scope} ${words} ${what}`, rule };
}

/** The first rule that speaks against any part of the call. */
function find(rules: readonly Rule[], effect: "deny" | "ask", parts: readonly Part[], workspace: string) {
  return rules.find(
    (rule) => rule.effect === effect && (rule.pattern === "" || parts.some(createCatcher(rule, workspace))),
  );
}

/** The first of the rules that together allow every part of the call; undefined where a part is left. */
function allowingRules(rules: readonly Rule[], subjects: readonly Subject[], workspace: string): Rule | undefined {
  const allowing = rules.filter(({ effect }) => effect === "allow");
  const whole = allowing.find(({ pattern }) => pattern === "");
  if (whole !== undefined) return whole;
  const isCommand = subjects.some(({ kind }) => kind === "command");
  const parts = subjects.filter((subject) => subject.kind === "host" || subject.isNamed !== true);
  const found = parts.map((subject) => allowing.find((rule) => allows(rule, subject, workspace, isCommand)));
  return found.every((rule) => rule !== undefined) ? found[0] : undefined;
}
