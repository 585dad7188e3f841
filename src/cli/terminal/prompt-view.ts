import type { Output } from "../output.ts";
import { type Around, editedView, type EditedView, textAround } from "./edited-view.ts";
import type { Candidate, PromptState } from "./prompt.ts";
import type { Footer } from "./screen.ts";
import { shorten } from "./width.ts";

const MAX_CANDIDATES = 8;

/** Something that is asked, above what is typed. */
export interface AskedView {
  readonly lines: readonly string[];
  /** Where the cursor stands in it; undefined = not in it. */
  readonly cursorAfter: string | undefined;
  /** True: keys go to it, and what is typed waits. */
  readonly hasFocus: boolean;
}

export interface PromptViewOptions {
  readonly output: Output;
  readonly state: PromptState;
  /** Lines above the text, such as what waits; each is cut to one row. */
  readonly above: readonly string[];
  /** What is asked, in so many rows at most; undefined = nothing. */
  readonly asked: (rows: number) => AskedView | undefined;
  /** The line below it. */
  readonly status: string;
  readonly columns: number;
  readonly rows: number;
}

/** What is typed, with what Tab would choose from, between what waits or is asked and the state. */
export function promptFooter({ output, state, above, asked, status, columns, rows }: PromptViewOptions): Footer {
  const { style } = output;
  const choices = candidateLines(output, state.candidates, columns);
  const room = Math.max(1, Math.floor(rows / 2) - choices.length);
  const typed = editedView(aroundOf(output, state), columns, room);
  const last = style.dim(shorten(status, columns - 1));
  const taken = 1 + above.length + typed.lines.length + choices.length + 1;
  const question = asked(rows - 1 - taken);
  if (question?.hasFocus === true)
    return askedFooter(output, question, { above, typed, isTyped: isTyped(state), last });
  const around = ["", ...above, ...(question?.lines ?? [])];
  return {
    lines: [...around, ...typed.lines, ...choices, last],
    cursorAfter: [...around, typed.cursorAfter].join("\n"),
  };
}

interface Below {
  readonly above: readonly string[];
  readonly typed: EditedView;
  readonly isTyped: boolean;
  readonly last: string;
}

function askedFooter({ style }: Output, question: AskedView, { above, typed, isTyped, last }: Below): Footer {
  const before = ["", ...above];
  const waiting = isTyped ? typed.lines.map(style.dim) : [];
  const { lines, cursorAfter } = question;
  return {
    lines: [...before, ...lines, ...waiting, last],
    cursorAfter: cursorAfter === undefined ? undefined : [...before, cursorAfter].join("\n"),
  };
}

function isTyped({ edited }: PromptState): boolean {
  return edited.text !== "";
}

function aroundOf(output: Output, { edited, search }: PromptState): Around {
  const { style, foreignLine } = output;
  if (search === undefined) return textAround(output, style.cyan("›"), edited);
  const { text, found } = search;
  const line = foreignLine(found ?? (text === "" ? "type what to look for" : "nothing like it was typed"));
  return {
    before: `${style.cyan("search ›")} ${foreignLine(text)}`,
    after: style.dim(`  ${shorten(line, 200)}`),
  };
}

function candidateLines({ style }: Output, candidates: readonly Candidate[], columns: number): string[] {
  const shown = candidates.slice(0, MAX_CANDIDATES);
  const width = Math.max(0, ...shown.map(({ label }) => label.length));
  const lines = shown.map(({ label, hint }) => style.dim(shorten(`  ${label.padEnd(width)}  ${hint}`, columns - 1)));
  const more = candidates.length - shown.length;
  return more === 0 ? lines : [...lines, style.dim(`  ${more} more; type on`)];
}
