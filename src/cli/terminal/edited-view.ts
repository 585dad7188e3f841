import type { Output } from "../output.ts";
import type { EditedText } from "./line-editor.ts";
import { lastRows, placeAfter } from "./screen-rows.ts";
import { cells } from "./width.ts";

/** A text that is being typed, as rows of a terminal. */
export interface EditedView {
  readonly lines: readonly string[];
  /** The cursor stands after this much of the lines, joined with line feeds. */
  readonly cursorAfter: string;
}

/** What stands before and behind a cursor. */
export interface Around {
  readonly before: string;
  readonly after: string;
}

export function textAround({ foreign }: Output, mark: string, { text, cursor }: EditedText): Around {
  const shown = (part: string): string => foreign(part).replaceAll("\t", "    ").replaceAll("\n", "\n  ");
  return { before: `${mark} ${shown(text.slice(0, cursor))}`, after: shown(text.slice(cursor)) };
}

/** No more than so many rows, those around the cursor. */
export function editedView({ before, after }: Around, columns: number, rows: number): EditedView {
  const shown = lastRows(before.split("\n"), columns, rows);
  const used = placeAfter(shown.join("\n"), columns).row;
  const cursorAfter = shown.join("\n");
  // After the last column the cursor stands on a row of its own, which must be there.
  const rest = firstRows(`${after} `, columns, shown.at(-1) ?? "", rows - used);
  return { lines: (cursorAfter + rest).split("\n"), cursorAfter };
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
