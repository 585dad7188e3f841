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
import { MODE_WORDS, type ModeWord, type ScopeWord } from "./names.ts";

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

/** What a session does in each mode. */
export const MODE_MEANINGS: Readonly<Record<ModeWord, string>> = {
  confirm_all: "it asks before everything",
  default: "it reads in the folder and asks before the rest",
  auto_approve_edits: "it reads and edits in the folder and asks before the rest",
  trust_all: "it never asks",
  plan: "it looks and touches nothing",
  restricted: "it never asks, and what would be asked about is denied",
};

/** `trust_all: it never asks`; a mode of a newer engine by its number alone. */
export function modeText(mode: ApprovalMode): string {
  const word = MODE_WORDS.find((one) => modeOf(one) === mode);
  return word === undefined ? modeWord(mode) : `${word}: ${MODE_MEANINGS[word]}`;
}

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
