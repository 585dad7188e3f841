import type { Subject } from "../tool/tool.ts";

type Command = Extract<Subject, { kind: "command" }>;

/** The words of a rule's pattern for shell commands. */
export interface CommandPattern {
  readonly words: readonly string[];
  /** True: any further words may follow. */
  readonly isOpen: boolean;
}

/** Read as a shell reads words: blanks between them, quotes and backslashes undone. Nothing else of a shell is in a pattern. */
const WORD_PIECE = /'([^']*)'|"((?:[^"\\$`]|\\[\s\S])*)"|\\([\s\S])|([^\s'"\\;&|<>()$`*?[\]{}~#!]+|[?[\]{}~#!])/y;

/** Undefined where a text is no plain command: unbalanced quotes, operators, or a star that is not the last word. */
export function parseCommandPattern(text: string): CommandPattern | undefined {
  const words: string[] = [];
  let at = 0;
  for (;;) {
    while (text[at] === " " || text[at] === "\t") at++;
    if (at === text.length) return words.length === 0 ? undefined : { words, isOpen: false };
    if (text[at] === "*" && text.slice(at + 1).trim() === "") return { words, isOpen: true };
    let word = "";
    const start = at;
    for (;;) {
      WORD_PIECE.lastIndex = at;
      const piece = WORD_PIECE.exec(text);
      if (piece === null) break;
      word += piece[1] ?? piece[2]?.replaceAll(/\\([\\"$`])/g, "$1") ?? piece[3] ?? piece[4] ?? "";
      at = WORD_PIECE.lastIndex;
    }
    const isWhole = at === text.length || text[at] === " " || text[at] === "\t";
    if (at === start || !isWhole) return undefined;
    words.push(word);
  }
}

/** The pattern that matches exactly these words, or those that begin with them. */
export function formatCommandPattern({ words, isOpen }: CommandPattern): string {
  return [...words.map(quoteWord), ...(isOpen ? ["*"] : [])].join(" ");
}

function quoteWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** Whether every command that this one can turn out to be is one of the pattern. */
export function mustMatch(pattern: CommandPattern, { words, fixedWords }: Command): boolean {
  if (pattern.words.length > fixedWords) return false;
  if (!pattern.isOpen && (fixedWords < words.length || words.length !== pattern.words.length)) return false;
  return pattern.words.every((word, i) => words[i] === word);
}

/** Whether this command can turn out to be one of the pattern. What stands before its name (`A=b`, `sudo`) hides nothing. */
export function mayMatch(pattern: CommandPattern, command: Command): boolean {
  const { words, fixedWords } = command;
  return words.some((_, from) => {
    if (from > 0 && !isCarried(words.slice(0, from))) return false;
    const rest = words.slice(from);
    const fixed = Math.max(0, fixedWords - from);
    if (!pattern.isOpen && fixed === rest.length && rest.length !== pattern.words.length) return false;
    return pattern.words.every((word, i) => (i >= fixed ? fixed < rest.length : sameWord(rest[i] ?? "", word, i)));
  });
}

/** Programs that run the words after them, and the flags of `find` that do. */
const CARRIERS = new RegExp(
  "^(?:-(?:exec|execdir|ok|okdir)|(?:.*/)?(?:sudo|doas|env|nohup|nice|ionice|timeout|time|exec|command|builtin|xargs|stdbuf|setsid" +
    "|chroot|busybox|eval|coproc|parallel|watch|strace|ltrace|flock|unshare|nsenter|entr|systemd-run|taskset|chrt|faketime|fakeroot" +
    "|proot|firejail|bwrap|runuser|pkexec))$",
);

/** Whether what comes after these words may be a command of its own. */
export function isCarried(before: readonly string[]): boolean {
  return before.some((word) => CARRIERS.test(word)) || before.every((word) => /^\w+\+?=/.test(word));
}

/** A program is the same by whatever path it is called. */
function sameWord(given: string, wanted: string, place: number): boolean {
  return given === wanted || (place === 0 && given.slice(given.lastIndexOf("/") + 1) === wanted);
}
