import type { Output } from "../output.ts";
import type { Candidate, PromptState } from "./prompt.ts";
import type { Footer } from "./screen.ts";
import { lastRows, placeAfter } from "./screen-rows.ts";
import { cells, shorten } from "./width.ts";

const MAX_CANDIDATES = 8;

export interface PromptViewOptions {
  readonly output: Output;
  readonly state: PromptState;
  /** Lines above the text, such as what waits; each is cut to one row. */
  readonly above: readonly string[];
  /** The line below it. */
  readonly status: string;
  readonly columns: number;
  readonly rows: number;
}

/** What is typed, with what Tab would choose from, between what waits and the state. */
export function promptFooter({ output, state, above, status, columns, rows }: PromptViewOptions): Footer {
  const { style } = output;
  const choices = candidateLines(output, state.candidates, columns);
  const around = ["", ...above];
  const room = Math.max(1, Math.floor(rows / 2) - choices.length);
  const { before, after } = state.search === undefined ? textAround(output, state) : searchAround(output, state.search);
  const shown = lastRows(before.split("\n"), columns, room);
  const used = placeAfter(shown.join("\n"), columns).row;
  const cursorAfter = [...around, ...shown].join("\n");
  // After the last column the cursor stands on a row of its own, which must be there.
  const rest = firstRows(`${after} `, columns, shown.at(-1) ?? "", room - used);
  const typed = (cursorAfter + rest).split("\n");
  return { lines: [...typed, ...choices, style.dim(shorten(status, columns - 1))], cursorAfter };
}

interface Around {
  readonly before: string;
  readonly after: string;
}

function textAround({ style, foreign }: Output, { edited }: PromptState): Around {
  const { text, cursor } = edited;
  const shown = (part: string): string => foreign(part).replaceAll("\t", "    ").replaceAll("\n", "\n  ");
  return { before: `${style.cyan("›")} ${shown(text.slice(0, cursor))}`, after: shown(text.slice(cursor)) };
}

function searchAround({ style, foreignLine }: Output, { text, found }: NonNullable<PromptState["search"]>): Around {
  const line = foreignLine(found ?? (text === "" ? "type what to look for" : "nothing like it was typed"));
  return {
    before: `${style.cyan("search ›")} ${foreignLine(text)}`,
    after: style.dim(`  ${shorten(line, 200)}`),
  };
}

/** As much of a text as fits behind another one and into so many rows more. */
function firstRows(text: string, columns: number, behind: string, rows: number): string {
  // Colours have no width; a text with them is short.
  if (text.includes("\u001B")) return text;
  const most = placeAfter(behind, columns).row + Math.max(0, rows);
  let kept = "";
  let column = placeAfter(behind, columns).column;
  let row = placeAfter(behind, columns).row;
  for (const cell of cells(text)) {
    if (cell.text === "\n" || column + cell.width > columns) {
      row++;
      column = 0;
    }
    if (row > most) break;
    column += cell.text === "\n" ? 0 : cell.width;
    kept += cell.text;
  }
  return kept;
}

function candidateLines({ style }: Output, candidates: readonly Candidate[], columns: number): string[] {
  const shown = candidates.slice(0, MAX_CANDIDATES);
  const width = Math.max(0, ...shown.map(({ label }) => label.length));
  const lines = shown.map(({ label, hint }) => style.dim(shorten(`  ${label.padEnd(width)}  ${hint}`, columns - 1)));
  const more = candidates.length - shown.length;
  return more === 0 ? lines : [...lines, style.dim(`  ${more} more; type on`)];
}
