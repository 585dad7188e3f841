import { inlineMarkdown, plainMarkdown } from "./markdown-inline.ts";
import type { Style } from "./style.ts";
import { shorten, widthOf } from "./width.ts";
import { wrapWords } from "./wrap-words.ts";

/** Rows of a table, kept until all of them are there. */
export interface Table {
  /** How many there are. */
  readonly rows: number;
  add(row: string): void;
  /** Its lines, no wider than so many columns; where that is too narrow, one line for each cell. */
  render(columns: number): string[];
}

export function isTableRow(line: string): boolean {
  return /^\s{0,3}\|.*\|\s*$/.test(line);
}

/** Narrower than this a column cannot be read. */
const MIN_WIDTH = 6;
const GAP = " │ ";

export function createTable(style: Style): Table {
  const rows: string[][] = [];
  let isHeaded = false;
  return {
    get rows() {
      return rows.length;
    },
    add(row) {
      if (rows.length === 1 && /^[\s|:-]+$/.test(row)) isHeaded = true;
      else rows.push(cellsOf(row));
    },
    render(columns) {
      const widths = fit(widthsOf(rows), columns - 1);
      if (widths === undefined) {
        const lines = stacked(rows, isHeaded, style);
        return lines.flatMap((line) => wrapWords(line, columns - 1, { hang: 2, long: "whole" }));
      }
      const line = (row: readonly string[], paint: (text: string) => string): string =>
        widths
          .map((width, column) => paint(padded(row[column] ?? "", width, style)))
          .join(style.dim(GAP))
          .trimEnd();
      const [head = [], ...others] = rows;
      const lines = (isHeaded ? others : rows).map((row) => line(row, (text) => text));
      if (!isHeaded) return lines;
      return [line(head, style.bold), style.dim(widths.map((width) => "─".repeat(width)).join("─┼─")), ...lines];
    },
  };
}

function cellsOf(row: string): string[] {
  const inner = row.trim().replace(/^\|/, "").replace(/\|$/, "");
  return inner.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));
}

function widthsOf(rows: readonly string[][]): number[] {
  const count = Math.max(0, ...rows.map((row) => row.length));
  return Array.from({ length: count }, (_, column) =>
    Math.max(1, ...rows.map((row) => widthOf(plainMarkdown(row[column] ?? "")))),
  );
}

/** Takes from the widest columns until all fit; undefined where they cannot. */
function fit(widths: readonly number[], columns: number): number[] | undefined {
  const room = columns - GAP.length * Math.max(0, widths.length - 1);
  const fitting = [...widths];
  let over = fitting.reduce((sum, width) => sum + width, 0) - room;
  while (over > 0) {
    const widest = Math.max(...fitting);
    if (widest <= MIN_WIDTH) return undefined;
    fitting[fitting.indexOf(widest)] = widest - 1;
    over--;
  }
  // What would be cut short is better told in full, under each other.
  return fitting.every((width, column) => width * 2 >= (widths[column] ?? 0)) ? fitting : undefined;
}

function padded(cell: string, width: number, style: Style): string {
  const text = plainMarkdown(cell);
  const wide = widthOf(text);
  return wide > width ? shorten(text, width) : inlineMarkdown(cell, style) + " ".repeat(width - wide);
}

function stacked(rows: readonly string[][], isHeaded: boolean, style: Style): string[] {
  const [head = [], ...others] = rows;
  if (!isHeaded) return rows.map((row) => row.map((cell) => inlineMarkdown(cell, style)).join(style.dim(" │ ")));
  return others.flatMap((row, index) => [
    ...(index === 0 ? [] : [style.dim("──")]),
    ...row.map((cell, column) => `${style.bold(plainMarkdown(head[column] ?? ""))}: ${inlineMarkdown(cell, style)}`),
  ]);
}
