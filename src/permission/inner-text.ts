import { isCarried } from "./command-pattern.ts";
import type { ParsedCommand } from "./shell-parse.ts";
import { riskOfCommand } from "./shell-risk.ts";

/** A text that a command has a shell run. */
export interface InnerText {
  readonly text: string;
  /** True: on another machine, where names of files are others'. */
  readonly isElsewhere: boolean;
}

/** What a command has shells run besides itself. */
export interface InnerTexts {
  readonly texts: readonly InnerText[];
  /** Why nobody can tell all of it; empty = one can. */
  readonly doubt: string;
}

/** What runs a text, by how it takes it. */
type Taker = "shell" | "other shell" | "words" | "remote words" | "first word" | "flag" | "split";

const TAKERS: ReadonlyMap<string, Taker> = new Map(
  Object.entries({
    shell: "sh bash dash ash ksh mksh rbash",
    "other shell": "zsh fish csh tcsh yash",
    words: "eval watch",
    "remote words": "ssh",
    "first word": "trap",
    flag: "su runuser script flock sg",
    split: "env",
  }).flatMap(([taker, names]) => names.split(" ").map((name): [string, Taker] => [name, taker as Taker])),
);

const NOTHING: InnerTexts = { texts: [], doubt: "" };

/** Finds the texts that a command hands to a shell: `bash -c TEXT`, `eval TEXT`, also behind `sudo`, `xargs` or `find -exec`. */
export function innerTexts(command: ParsedCommand): InnerTexts {
  const { words } = command;
  if (!words.some((word) => TAKERS.has(baseName(word)))) return NOTHING;
  // What is known to be harmless with these very words runs none of them.
  if (/^(?:read|safe)$/.test(riskOfCommand(command).level)) return NOTHING;
  const found = words.map((word, at) => textsOf(TAKERS.get(baseName(word)), command, at));
  return { texts: found.flatMap(({ texts }) => texts), doubt: found.find(({ doubt }) => doubt !== "")?.doubt ?? "" };
}

function baseName(word: string): string {
  return word.slice(word.lastIndexOf("/") + 1);
}

function textsOf(taker: Taker | undefined, command: ParsedCommand, at: number): InnerTexts {
  if (taker === undefined) return NOTHING;
  const { words } = command;
  const from = at + 1;
  const isShell = taker === "shell" || taker === "other shell";
  const isCommand = at === 0 || isCarried(words.slice(0, at));
  // `docker run x sh -c TEXT`: what stands before it need not be known.
  if (!isCommand && !isShell) return NOTHING;
  switch (taker) {
    case "shell":
    case "other shell":
      return ofShell(command, at, { isCommand, isBash: taker === "shell" });
    case "words":
      return ofTexts(command, restAfter(words, skipFlags(words, from, WATCH_VALUES)));
    case "remote words": {
      const host = skipFlags(words, from, SSH_VALUES);
      return ofTexts(command, restAfter(words, skipFlags(words, host + 1, SSH_VALUES)), true);
    }
    case "first word": {
      const start = words.findIndex((word, i) => i >= from && word !== "--");
      return ofTexts(command, start === -1 ? [] : [{ end: start + 1, text: words[start] ?? "" }]);
    }
    case "flag":
      return ofTexts(command, afterFlag(words, from, /^(?:-[a-z]*c|--command)$/, /^(?:-c|--command=)(?=.)/));
    case "split": {
      const { texts } = ofTexts(
        command,
        afterFlag(words, from, /^(?:-[a-z0]*S|--split-string)$/, /^(?:-[a-z0]*S|--split-string=)(?=.)/),
      );
      // It reads quotes and variables in its own way.
      return { texts, doubt: texts.length === 0 ? "" : "env -S makes a command of a text in its own way" };
    }
  }
}

/** A shell's flags take no text but with `-c`, which is the first word after all flags. Without a word it reads what it runs. */
function ofShell(
  command: ParsedCommand,
  at: number,
  { isCommand, isBash }: { readonly isCommand: boolean; readonly isBash: boolean },
): InnerTexts {
  const { words, fixedWords } = command;
  let start = at + 1;
  let takesText = false;
  let doubt = isBash ? "" : "it gives a text to a shell that is not bash";
  for (; start < words.length; start++) {
    const word = words[start] ?? "";
    if (!/^[-+]/.test(word)) break;
    if (/^--?$/.test(word)) {
      start++;
      break;
    }
    if (/^--(?:version|help)$/.test(word)) return NOTHING;
    if (word.startsWith("--")) {
      if (/^--(?:rcfile|init-file)$/.test(word)) start++;
      continue;
    }
    takesText ||= /^-.*c/.test(word);
    // Options of bash that change what a pattern or a word means.
    if (word.includes("O")) doubt ||= "it sets options of a shell that change what words mean";
    start += word.replaceAll(/[^oO]/g, "").length;
  }
  if (takesText && start < words.length) {
    const inner = ofTexts(command, [{ end: start + 1, text: words[start] ?? "" }]);
    return { texts: inner.texts, doubt: inner.doubt || doubt };
  }
  if (!isCommand || /^-[vV]$/.test(words[at - 1] ?? "")) return NOTHING;
  // A word that is made up can turn out to be `-c`.
  const isOpen = start >= fixedWords && /^"?[$`]/.test(words[start] ?? "");
  const readsText = isOpen || start >= words.length || words.slice(at + 1, start).includes("-s");
  return { texts: [], doubt: readsText ? "a shell in it may read what it runs" : "" };
}

/** `end`: behind the last word that a text is made of. */
function ofTexts(
  { fixedWords }: ParsedCommand,
  found: readonly { readonly end: number; readonly text: string }[],
  isElsewhere = false,
): InnerTexts {
  return {
    // As it is written where it is made up: its quotes are those of the shell around it.
    texts: found.map(({ end, text }) => ({
      text: end > fixedWords ? text.replace(/^"([^]*)"$/, "$1") : text,
      isElsewhere,
    })),
    doubt: found.some(({ end }) => end > fixedWords) ? "a text that it gives a shell is made up when it runs" : "",
  };
}

/** Flags of `watch` and `ssh` whose value is the next word. */
const WATCH_VALUES = /^-(?:[a-z]*[nq]|-interval|-equexit)$/;
const SSH_VALUES = /^-[A-Za-z0-9]*[BbcDEeFIiJLlmOopQRSWw]$/;

/** Where the first word is that is neither a flag nor the value of one. */
function skipFlags(words: readonly string[], from: number, valued: RegExp): number {
  let at = from;
  for (let word = words[at]; word?.startsWith("-") === true; word = words[at]) at += valued.test(word) ? 2 : 1;
  return at;
}

function restAfter(words: readonly string[], start: number) {
  return start < words.length ? [{ end: words.length, text: words.slice(start).join(" ") }] : [];
}

/** The words after a flag, and what is put to one in the same word. */
function afterFlag(words: readonly string[], from: number, alone: RegExp, joined: RegExp) {
  return words.flatMap((word, i) => {
    if (i < from) return [];
    if (alone.test(word)) return i + 1 < words.length ? [{ end: i + 2, text: words[i + 1] ?? "" }] : [];
    return joined.test(word) ? [{ end: i + 1, text: word.replace(joined, "") }] : [];
  });
}
