import { dirname, relative } from "node:path";
import type { Assessment, Subject } from "../tool/tool.ts";
import { formatCommandPattern } from "./command-pattern.ts";
import { RUNNERS, RUNNING_VERBS, WITH_SUBCOMMANDS } from "./known-commands.ts";
import { isWithin } from "../workspace/path-names.ts";
import type { RuleDraft } from "./rule.ts";

type Command = Extract<Subject, { kind: "command" }>;
type Path = Extract<Subject, { kind: "path" }>;

/** A pattern that is longer than a rule may have is none. */
const MAX_PATTERN_BYTES = 1024;

/**
 * The rules by which calls like this one would run unasked, the narrowest first; none where only a human can let it run, or
 * one rule cannot speak for all of it.
 */
export function suggestRules(tool: string, assessment: Assessment, workspace: string): readonly RuleDraft[] {
  return patternsFor(assessment, workspace)
    .filter((pattern) => Buffer.byteLength(pattern) <= MAX_PATTERN_BYTES)
    .map((pattern) => ({ effect: "allow", scope: "session", tool, pattern }));
}

function patternsFor({ subjects, onlyOnce, risk }: Assessment, workspace: string): readonly string[] {
  if (onlyOnce === true) return [];
  const isDestructive = risk.level === "destructive";
  const [first, ...others] = subjects.filter((subject) => subject.kind === "host" || subject.isNamed !== true);
  // Nothing to tell one call from another by: all of the tool's.
  if (first === undefined) return isDestructive || subjects.length > 0 ? [] : [""];
  if (others.length > 0) return [];
  switch (first.kind) {
    case "command":
      return commandPatterns(first, isDestructive || !staysIn(subjects, workspace));
    case "path":
      return pathPatterns(first, workspace, isDestructive);
    case "host":
      return [first.host];
  }
}

/** Whether all files that are named lie in the workspace: a rule for any words would let others be named that do not. */
function staysIn(subjects: readonly Subject[], workspace: string): boolean {
  return subjects.every((subject) => subject.kind !== "path" || isWithin(subject.path, workspace));
}

function commandPatterns({ words, fixedWords }: Command, isExact: boolean): string[] {
  const [name = "", verb = ""] = words;
  const exact = fixedWords === words.length ? [formatCommandPattern({ words, isOpen: false })] : [];
  // A word such as `A=b`, a path, or a program that runs what it is given says nothing of other calls.
  if (isExact || RUNNERS.has(name) || !/^[\w.+-]+$/.test(name)) return exact;
  if (Object.hasOwn(RUNNING_VERBS, name) && RUNNING_VERBS[name]?.test(verb) === true) return exact;
  const head = WITH_SUBCOMMANDS.has(name) ? [name, verb] : [name];
  const isVerb = head.length === 1 || /^[a-z][\w:-]*$/.test(verb);
  return isVerb && fixedWords >= head.length ? [...exact, formatCommandPattern({ words: head, isOpen: true })] : exact;
}

function pathPatterns({ path, given }: Path, workspace: string, isDestructive: boolean): string[] {
  // A rule must match both.
  if (path !== given || /[*?\p{Cc}]/u.test(path)) return [];
  if (!isWithin(path, workspace) || path === workspace) return [path];
  const exact = relative(workspace, path);
  if (isDestructive) return [exact];
  const folder = dirname(exact);
  return folder === "." ? [exact, "**"] : [exact, `${folder}/**`, "**"];
}
