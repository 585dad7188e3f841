import { isAbsolute, join } from "node:path";
import type { Subject } from "../tool/tool.ts";
import { mayMatch, mustMatch, parseCommandPattern } from "./command-pattern.ts";
import { matchesGlob, matchesNames, namesOfGlob, namesOfPath } from "./glob.ts";
import { isAscii } from "../workspace/path-names.ts";
import { invalidRule, type Rule, type RuleDraft } from "./rule.ts";

/** Whether a rule's tool is this one. */
export function matchesTool(rule: Pick<RuleDraft, "tool">, tool: string): boolean {
  return rule.tool.endsWith("*") ? tool.startsWith(rule.tool.slice(0, -1)) : rule.tool === tool;
}

/** Whether a rule that allows speaks for this part of a call: for all that it can turn out to be. */
export function allows(rule: Rule, subject: Subject, workspace: string, isCommand: boolean): boolean {
  if (rule.pattern === "") return true;
  switch (subject.kind) {
    case "command": {
      const pattern = parseCommandPattern(rule.pattern);
      return pattern !== undefined && mustMatch(pattern, subject);
    }
    case "path": {
      if (subject.isNamed === true) return true;
      // What a command is allowed to be called with says nothing of the files that the shell writes for it.
      if (isCommand) return false;
      const glob = absoluteGlob(rule.pattern, workspace);
      return [subject.path, subject.given].every((path) => matchesGlob(glob, path));
    }
    case "host":
      return !isCommand && matchesHost(rule.pattern, subject.host);
  }
}

/** A part of a call, as the rules that deny or ask look at it: its names are folded once for all of them. */
export interface Part {
  readonly subject: Subject;
  readonly foldedPaths: readonly (readonly string[])[];
}

export function toPart(subject: Subject): Part {
  const paths = subject.kind === "path" ? [subject.path, subject.given] : [];
  return { subject, foldedPaths: [...new Set(paths)].map((path) => namesOfPath(foldName(path))) };
}

/**
 * Tells of each part of a call whether a rule that denies or asks speaks for it: for anything that it can turn out to be. The
 * rule's pattern is read once for all parts.
 */
export function createCatcher({ pattern }: Rule, workspace: string): (part: Part) => boolean {
  if (pattern === "") return () => true;
  const command = parseCommandPattern(pattern);
  // With what lies under it.
  const glob = namesOfGlob(`${foldName(absoluteGlob(pattern, workspace))}/**`);
  return ({ subject, foldedPaths }) => {
    switch (subject.kind) {
      case "command":
        return command !== undefined && mayMatch(command, subject);
      case "path":
        return foldedPaths.some((path) => matchesNames(glob, path));
      case "host":
        return matchesHost(pattern, subject.host);
    }
  };
}

/** As file systems that know no case, and several spellings of one letter, take it. */
function foldName(name: string): string {
  if (isAscii(name)) return name.toLowerCase();
  return name.normalize("NFC").toLowerCase().toUpperCase().toLowerCase();
}

function absoluteGlob(pattern: string, workspace: string): string {
  const glob = pattern.replace(/^\.\//, "");
  return isAbsolute(glob) ? glob : join("/", workspace, glob);
}

function matchesHost(pattern: string, host: string): boolean {
  const [wanted, given] = [pattern, host].map((name) => name.toLowerCase().replace(/\.$/, ""));
  if (wanted === undefined || given === undefined) return false;
  return wanted.startsWith("*.") ? given.endsWith(wanted.slice(1)) : given === wanted;
}

/** The tools whose patterns are words of a command. */
export const SHELL = "shell";

/** Throws DomainError `INVALID_RULE` where a rule could never match, or not as it reads. */
export function checkRule({ effect, tool, pattern }: RuleDraft): void {
  if (!/^(\*|[\w.:/-]+\*?)$/.test(tool)) {
    throw invalidRule("tool", "give a tool's name, with a * at its end for any ending");
  }
  if (pattern === "") return;
  // oxlint-disable-next-line no-control-regex -- these are what it is looked for
  if (/[\u0000-\u001f\u007f]/.test(pattern)) throw invalidRule("pattern", "it holds a control character");
  if (tool !== SHELL) {
    if (pattern.split("/").includes("..")) throw invalidRule("pattern", "it goes up with ..; name the folder itself");
    return;
  }
  const command = parseCommandPattern(pattern);
  if (command === undefined) {
    throw invalidRule(
      "pattern",
      "give the words of one plain command, quoted as in a shell; * may be the last word alone",
    );
  }
  if (effect === "allow" && command.words.length === 0) {
    throw invalidRule("pattern", "to allow every command leave it empty");
  }
}
