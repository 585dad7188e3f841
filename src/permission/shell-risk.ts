import { DESTRUCTIVE, DESTRUCTIVE_CALLS, KNOWN_COMMANDS, KNOWN_GIT, type KnownCommand } from "./known-commands.ts";
import type { ParsedCommand } from "./shell-parse.ts";

/** What one command can do. */
export interface CommandRisk {
  readonly level: "read" | "safe" | "destructive" | "unknown";
  readonly reason: string;
  /** The files that it reads, as they are written. */
  readonly files: readonly string[];
  /** True: a folder among them may lead anywhere. */
  readonly followsLinks?: boolean;
}

const GIT_REASON = "git only looks here, but a repository's own settings can name programs that it starts";

/** Judges one plain command by its name and its flags: only what is known to be harmless is called so. */
export function riskOfCommand({ words, fixedWords }: ParsedCommand): CommandRisk {
  const [name = "", ...rest] = words;
  const known = name === "git" ? KNOWN_GIT[rest[0] ?? ""] : own(KNOWN_COMMANDS, name);
  if (known !== undefined && fixedWords === words.length) {
    const operands = readFlags(known, name === "git" ? rest.slice(1) : rest);
    if (operands !== undefined) {
      const { level, takesNoFiles, followsLinks = false } = known;
      const reason = name === "git" ? GIT_REASON : level === "read" ? `${name} only reads` : `${name} does no harm`;
      return { level, reason, files: takesNoFiles === true ? [] : operands, followsLinks };
    }
  }
  const harm = harmOf(words);
  if (harm !== undefined) return { level: "destructive", reason: harm, files: [] };
  const what = known === undefined ? "is not known to be harmless" : "is not known to be harmless with these words";
  return { level: "unknown", reason: `${name.slice(0, 60)} ${what}`, files: [] };
}

function own<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}

/** Why a command is dangerous; undefined where nothing says that it is. What is put before it hides nothing. */
function harmOf(words: readonly string[]): string | undefined {
  for (const [at, word] of words.entries()) {
    const name = word.slice(word.lastIndexOf("/") + 1);
    const harm = own(DESTRUCTIVE, name.startsWith("mkfs.") ? "mkfs" : name);
    const isName = at === 0 || !word.startsWith("-");
    if (harm !== undefined && isName && (at === 0 || isBefore(words.slice(0, at)))) return `${name}: ${harm}`;
    const call = DESTRUCTIVE_CALLS.find(
      ([wanted, among]) => wanted === name && words.slice(at + 1).some((one) => among.test(one)),
    );
    if (call !== undefined && (at === 0 || isBefore(words.slice(0, at)))) return `${name}: ${call[2]}`;
  }
  return undefined;
}

/** Whether what comes after these words may be the name of a command: they set variables, or run what they are given. */
function isBefore(words: readonly string[]): boolean {
  return (
    words.every((word) => /^\w+\+?=/.test(word)) ||
    /(^|\/)(env|xargs|nohup|nice|timeout|time|command|exec|setsid|stdbuf|busybox)$/.test(words[0] ?? "")
  );
}

/** The words that are no flags; undefined where a flag is not known, or there are more words than it takes. */
function readFlags(known: KnownCommand, words: readonly string[]): string[] | undefined {
  const long = new Set(known.long?.split(" "));
  const whole = new Set(known.words?.split(" "));
  const operands: string[] = [];
  let hasPattern = false;
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? "";
    if (word === "--") {
      if (known.isNeverPlain === true) return undefined;
      operands.push(...words.slice(i + 1));
      break;
    }
    if (whole.has(word)) {
      if (!/^-(empty|not|and|or|o|a|print|print0|prune)$/.test(word)) i++;
    } else if (word.startsWith("--")) {
      const flag = word.slice(2).split("=", 1)[0] ?? "";
      if (!long.has(flag)) return undefined;
      hasPattern ||= flag === "regexp";
    } else if (word.startsWith("-") && word !== "-") {
      if (known.takesCount === true && /^-\d+$/.test(word)) continue;
      const takesNext = readShort(known, word.slice(1));
      if (takesNext === undefined) return undefined;
      hasPattern ||= known.notFiles === 1 && word.includes("e");
      if (takesNext) i++;
    } else operands.push(word);
  }
  if (operands.length > (known.maxOperands ?? Infinity)) return undefined;
  return operands.slice(hasPattern ? 0 : known.notFiles);
}

/** Whether the next word is the value of the last of these letters; undefined where one is not known. */
function readShort({ short, valued = "" }: KnownCommand, letters: string): boolean | undefined {
  for (const [at, letter] of Array.from(letters).entries()) {
    if (!short.includes(letter)) return undefined;
    if (valued.includes(letter)) return at === letters.length - 1;
  }
  return false;
}
