import {
  ApprovalMode,
  CheckDecision,
  PermissionScope,
  Risk,
  RuleEffect,
  type Rule,
  type RuleDraft,
} from "../../client/client.ts";
import type { Output } from "../output.ts";
import type { ModeWord, ScopeWord } from "./names.ts";

/** The name of an enum's value as people write it; a newer engine may have values that are not known here. */
function wordOf(names: Readonly<Record<string, number>>, value: number): string {
  const found = Object.entries(names).find(([, known]) => known === value);
  return found?.[0].toLowerCase() ?? String(value);
}

export function modeOf(word: ModeWord): ApprovalMode {
  return ApprovalMode[word.toUpperCase() as Uppercase<ModeWord>];
}

export function scopeOf(word: ScopeWord): PermissionScope {
  return PermissionScope[word.toUpperCase() as Uppercase<ScopeWord>];
}

export const modeWord = (mode: ApprovalMode): string => wordOf(ApprovalMode, mode);
export const riskWord = (risk: Risk): string => wordOf(Risk, risk);
export const decisionWord = (decision: CheckDecision): string => wordOf(CheckDecision, decision);
const effectWord = (effect: RuleEffect): string => wordOf(RuleEffect, effect);
export const scopeWord = (scope: PermissionScope): string => wordOf(PermissionScope, scope);

/** `allow shell git status` */
export function ruleText(
  { effect, tool, pattern }: Pick<Rule | RuleDraft, "effect" | "tool" | "pattern">,
  out: Output,
) {
  return `${effectWord(effect)} ${out.foreignLine(pattern === "" ? `${tool} (all)` : `${tool} ${pattern}`)}`;
}
