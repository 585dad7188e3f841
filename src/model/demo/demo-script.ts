import type { Order } from "./demo-order.ts";
import { ORDER_RULES, readOrders } from "./demo-orders.ts";

/** What the demo model does in one call. */
export interface Script {
  /** The calls to make, step by step: the next step is made when the calls of the one before are over. */
  steps: readonly (readonly Order[])[];
  reasoning: string;
  /** In the order they are said; a function where they would be too many to keep. */
  answer: Iterable<string>;
  /** Said exactly as it is, without the words about being no AI. */
  isExact: boolean;
  paceMs: number;
  /** After how many words of the answer it fails; undefined = it does not. */
  failAfterWords: number | undefined;
  /** How many tries fail before one succeeds. */
  failFirstTries: number;
  /** After how many words it says nothing more; undefined = it goes on. */
  stallAfterWords: number | undefined;
}

/** One thing that the demo model understands. */
interface Rule {
  readonly pattern: RegExp;
  /** How the answer to "help" explains it. */
  readonly help: string;
  readonly apply: (script: Script, match: RegExpExecArray) => void;
}

/** 50 words a second: readable, and about what hosted models do. */
const PACE_MS = 20;
const SLOW_PACE_MS = 500;
/** Below the 1 MiB of a message. */
const MAX_WORDS = 100_000;

/**
 * What is said where no tool is asked for. The first rule whose pattern is found in the user's last message decides; the
 * rest of the table is not looked at. `echo` comes first, so that its text can be anything.
 */
const ANSWERS: readonly Rule[] = [
  {
    pattern: /\becho: ?([^]*)$/i,
    help: "echo: TEXT - repeats TEXT exactly, and says nothing else",
    apply: (script, [, text = ""]) => {
      script.answer = splitWords(text);
      script.isExact = true;
    },
  },
  {
    pattern: /\bhelp\b/i,
    help: "help - this list",
    apply: (script) => (script.answer = splitWords(helpText())),
  },
  {
    pattern: /\b(?:say|write) ([\d,]+) words\b/i,
    help: "write 400 words - a long answer, the same each time",
    apply: (script, [, count = ""]) => (script.answer = filler(toCount(count))),
  },
  {
    pattern: /\bcount to ([\d,]+)/i,
    help: "count to 100 - counts",
    apply: (script, [, count = ""]) => (script.answer = numbers(toCount(count))),
  },
  {
    pattern: /\bwithout end\b/i,
    help: "talk without end - does not stop by itself",
    apply: (script) => (script.answer = filler(Number.POSITIVE_INFINITY)),
  },
];

/** How it is said. Every rule whose pattern is found applies, in this order: a later one overrides an earlier one. */
const MANNERS: readonly Rule[] = [
  {
    pattern: /\bthink/i,
    help: "think - reasons before it answers",
    apply: (script) => (script.reasoning = "The user wants me to think. I follow a script, so this is quickly done."),
  },
  {
    pattern: /\bslow(?:ly)?\b/i,
    help: "slowly - two words a second",
    apply: (script) => (script.paceMs = SLOW_PACE_MS),
  },
  {
    pattern: /\b([\d,]+) words (?:a|per) second\b/i,
    help: "at 100 words a second - that pace (50 unless told)",
    apply: (script, [, count = ""]) => (script.paceMs = 1000 / Math.max(1, toCount(count))),
  },
  {
    pattern: /\bfast\b/i,
    help: "as fast as you can - no pauses",
    apply: (script) => (script.paceMs = 0),
  },
  {
    pattern: /\bfail\b(?! (?:after|\d+ times?|once|twice)\b)/i,
    help: "fail - the model call fails, for good",
    apply: (script) => (script.failFirstTries = Number.POSITIVE_INFINITY),
  },
  {
    pattern: /\bfail (\d+ times?|once|twice)\b/i,
    help: "fail 2 times - fails so often in a way that is retried, then answers",
    apply: (script, [, times = ""]) =>
      (script.failFirstTries = { once: 1, twice: 2 }[times.toLowerCase()] ?? Number.parseInt(times)),
  },
  {
    pattern: /\bfail after (\d+) words?\b/i,
    help: "fail after 5 words - fails in the middle of the answer",
    apply: (script, [, count = ""]) => (script.failAfterWords = toCount(count)),
  },
  {
    pattern: /\bstall(?: after (\d+) words?)?\b/i,
    help: "stall / stall after 5 words - says nothing (more) until it is cancelled or given up",
    apply: (script, [, count = "0"]) => (script.stallAfterWords = toCount(count)),
  },
];

const ECHO = /\becho:[^]*$/i;

/** Reads a user's message. What follows `echo:` is text, not orders. `file` is what "it" means where nothing else is named. */
export function readScript(message: string, file?: string): Script {
  const script: Script = {
    steps: [],
    reasoning: "",
    answer: splitWords(`You said: ${shorten(message)} Say "help" to see what I can do.`),
    isExact: false,
    paceMs: PACE_MS,
    failAfterWords: undefined,
    failFirstTries: 0,
    stallAfterWords: undefined,
  };
  const plain = message.replace(ECHO, "");
  const { steps, rest } = ECHO.test(message) ? { steps: [], rest: plain } : readOrders(plain, file);
  script.steps = steps;
  // What is to be written or run says nothing of how to do it.
  for (const rule of MANNERS) {
    const match = rule.pattern.exec(rest);
    if (match !== null) rule.apply(script, match);
  }
  if (steps.length > 0) return script;
  for (const rule of ANSWERS) {
    const match = rule.pattern.exec(message);
    if (match === null) continue;
    rule.apply(script, match);
    break;
  }
  return script;
}

function helpText(): string {
  return [
    `I understand plain words. What I do, with the tools that this session has:\n${list(ORDER_RULES)}`,
    'Several of these in one message are several calls; what follows "then" or a full stop waits for what is before it.\n',
    `What I say:\n${list(ANSWERS)}`,
    `How I say it, in any combination:\n${list(MANNERS)}`,
  ].join("\n");
}

function list(rules: readonly { readonly help?: string }[]): string {
  return rules.map(({ help }) => (help === undefined ? "" : `- ${help}\n`)).join("");
}

function toCount(text: string): number {
  return Math.min(MAX_WORDS, Number.parseInt(text.replaceAll(",", "")) || 0);
}

/** Words with the blanks before them, and any blanks left at the end: joined, they are the text again. */
export function splitWords(text: string): string[] {
  return text.match(/\s*\S+|\s+$/gu) ?? [];
}

const FILLER = "the quick words of a script run on and on so that a reader has some text to watch".split(" ");

/** So many words, ten to a line, each line with the number of its first. */
function* filler(count: number): Generator<string> {
  for (let i = 0; i < count; i++) {
    if (i % 10 === 0) yield `${i === 0 ? "" : "\n"}${i + 1}.`;
    else yield ` ${FILLER[i % FILLER.length]}`;
  }
}

function* numbers(count: number): Generator<string> {
  for (let i = 1; i <= count; i++) yield i === 1 ? "1" : ` ${i}`;
}

/** What was said, for an answer that has nothing better: its first line, not too much of it. */
function shorten(message: string): string {
  const line = message.trim().split("\n")[0] ?? "";
  return `"${line.length > 200 ? `${line.slice(0, 200).toWellFormed()}...` : line}".`;
}
