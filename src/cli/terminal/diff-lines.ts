import type { Output } from "../output.ts";
import { wrapLine } from "./wrap.ts";

/** How wide a tab is drawn, so that what stands behind it has a place. */
const TAB = "    ";
const HUNK = /^@@ -\d+(?:,(?<before>\d+))? \+\d+(?:,(?<after>\d+))? @@/;

/**
 * A unified diff as lines with colours: what is added green, what is removed red. What it changes is text of others: controls
 * and invisible characters in it are shown.
 */
export function diffLines(output: Output, diff: string, { columns, hidesNames = false }: DiffOptions = {}): string[] {
  const { foreign } = output;
  return paintedLines(output, diff, hidesNames).flatMap(({ line, paint }) => {
    const text = foreign(line.replaceAll("\t", TAB));
    return (columns === undefined ? [text] : wrapLine(text, columns)).map(paint);
  });
}

export interface DiffOptions {
  /** How wide a row is; absent = each line is one. */
  readonly columns?: number;
  /** True: the names of files stand elsewhere. */
  readonly hidesNames?: boolean;
}

interface PaintedLine {
  readonly line: string;
  readonly paint: (text: string) => string;
}

function paintedLines({ style }: Output, diff: string, hidesNames: boolean): PaintedLine[] {
  // How many lines of the hunk are still to come: in it, a removed line may look like the name of a file.
  let before = 0;
  let after = 0;
  return diff
    .replace(/\n$/, "")
    .split("\n")
    .flatMap((line) => {
      const isBetween = before + after <= 0;
      const hunk = isBetween ? HUNK.exec(line)?.groups : undefined;
      if (hunk !== undefined) {
        before = Number(hunk["before"] ?? 1);
        after = Number(hunk["after"] ?? 1);
        return [{ line, paint: style.cyan }];
      }
      if (line.startsWith("\\")) return [{ line, paint: style.dim }];
      if (isBetween) return hidesNames && /^(?:---|\+\+\+) /.test(line) ? [] : [{ line, paint: style.bold }];
      if (!line.startsWith("+")) before--;
      if (!line.startsWith("-")) after--;
      if (line.startsWith("+")) return [{ line, paint: style.green }];
      return [{ line, paint: line.startsWith("-") ? style.red : style.dim }];
    });
}
