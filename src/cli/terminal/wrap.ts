import { cells } from "./width.ts";

/** A line as rows that a terminal does not wrap again. It holds no colours. */
export function wrapLine(line: string, columns: number): string[] {
  const rows: string[] = [];
  let row = "";
  let width = 0;
  for (const cell of cells(line)) {
    if (width + cell.width > columns && row !== "") {
      rows.push(row);
      row = "";
      width = 0;
    }
    row += cell.text;
    width += cell.width;
  }
  return [...rows, row];
}

/** The first rows, and how many there are besides. */
export interface Bounded {
  readonly rows: readonly string[];
  readonly more: number;
}

/** No more than so many rows; one more than fits is not worth a word about it, so at least two are left out. */
export function firstRowsOf(rows: readonly string[], maxRows: number): Bounded {
  if (rows.length <= maxRows) return { rows, more: 0 };
  const kept = rows.slice(0, Math.max(1, maxRows - 1));
  return { rows: kept, more: rows.length - kept.length };
}
