import { cells } from "./width.ts";

// oxlint-disable-next-line no-control-regex -- colours begin with escape
const COLOR = /\u001B\[[0-9;]*m/g;

export interface Place {
  /** From 0, counted in rows of the terminal. */
  readonly row: number;
  /** From 0. */
  readonly column: number;
}

/** Where a terminal puts the cursor after it has written a text from the start of a row: it wraps where a row is full. */
export function placeAfter(text: string, columns: number): Place {
  let row = 0;
  let column = 0;
  for (const cell of cells(text.replace(COLOR, ""))) {
    if (cell.text === "\n" || cell.text === "\r\n") {
      row++;
      column = 0;
      continue;
    }
    if (column + cell.width > columns) {
      row++;
      column = 0;
    }
    column += cell.width;
  }
  return { row, column };
}

/** How many rows of a terminal a line takes. */
export function rowsOf(line: string, columns: number): number {
  return placeAfter(line, columns).row + 1;
}

/** The last lines that fit into so many rows. The first of them may be cut at its beginning, which costs it its colours. */
export function lastRows(lines: readonly string[], columns: number, maxRows: number): string[] {
  const kept: string[] = [];
  let left = maxRows;
  for (const whole of lines.toReversed()) {
    const line = whole.length > MAX_MEASURED ? endWithin(whole, columns) : whole;
    const rows = rowsOf(line, columns);
    if (rows > left) {
      if (left > 0) kept.unshift(endOf(line.replace(COLOR, ""), columns, left));
      break;
    }
    kept.unshift(line);
    left -= rows;
  }
  return kept;
}

/** No terminal shows more of one line; to measure all of it for every picture would take longer than to show it. */
const MAX_MEASURED = 50_000;

/** The end of a very long line, cut at a place that stays the same while a row fills. */
function endWithin(line: string, columns: number): string {
  const from = line.length - MAX_MEASURED;
  return line.slice(from - (from % columns));
}

/** The end of a line that is too long, cut where the terminal would have wrapped it. */
function endOf(line: string, columns: number, rows: number): string {
  const starts = [0];
  let column = 0;
  let index = 0;
  for (const cell of cells(line)) {
    if (column + cell.width > columns) {
      starts.push(index);
      column = 0;
    }
    column += cell.width;
    index += cell.text.length;
  }
  return line.slice(starts.at(-rows) ?? 0);
}
