import type { createTwoFilesPatch } from "diff";
import { type DiffWindow, diffWindow } from "./diff-window.ts";

/** How many lines a hunk shows around a change. */
const CONTEXT_LINES = 3;

/**
 * Texts of which more lines than that have to be removed and added are shown as all removed and all added: what it takes to
 * find the least difference grows with the square of it, to a tenth of a second here. No clock decides: a diff is the same each time.
 */
const MAX_EDITED_LINES = 700;
/** And those of which so much lies between the first difference and the last, whatever they have in common: reading the lines alone takes too long. */
const MAX_COMPARED_CHARS = 2 * 1024 * 1024;

/** Undefined = no such file. */
export type Text = string | undefined;

/** A unified diff of one file, as `git apply` takes it; empty where nothing changes. */
export async function diffOf(path: string, before: Text, after: Text): Promise<string> {
  if (before === after) return "";
  const { createTwoFilesPatch: compare } = await import("diff");
  const from = before === undefined ? "/dev/null" : quoted(`a/${path}`);
  const to = after === undefined ? "/dev/null" : quoted(`b/${path}`);
  const window = diffWindow(before ?? "", after ?? "", CONTEXT_LINES);
  return `--- ${from}\n+++ ${to}\n${hunksOf(window, compare)}`;
}

/** Without the lines before them, which the library writes otherwise; a file that is empty has none. */
function hunksOf({ before, after, skippedLines }: DiffWindow, compare: typeof createTwoFilesPatch): string {
  const options = { context: CONTEXT_LINES, maxEditLength: MAX_EDITED_LINES };
  const patch =
    before.length + after.length > MAX_COMPARED_CHARS
      ? undefined
      : compare("a", "b", before, after, undefined, undefined, options);
  if (patch === undefined) return replaceAll(before, after, skippedLines);
  const at = patch.indexOf("\n@@ ");
  // Only a hunk's own first line begins so: those of the files have a sign before them.
  return at < 0
    ? ""
    : patch.slice(at + 1).replace(/^@@ -(\d+)(.*?) \+(\d+)/gm, (_, old, count, fresh) => {
        return `@@ -${Number(old) + skippedLines}${count} +${Number(fresh) + skippedLines}`;
      });
}

/** Of a file that is not text. */
export function binaryDiff(path: string): string {
  return `Binary files ${quoted(`a/${path}`)} and ${quoted(`b/${path}`)} differ\n`;
}

/** As git writes names that would look like something else: with what shows nothing, or ends the line. */
function quoted(name: string): string {
  if (!/["\\\p{Cc}\p{Default_Ignorable_Code_Point}\u2028\u2029]/u.test(name)) return name;
  const bytes = [...Buffer.from(name)].map((byte) => {
    const character = String.fromCharCode(byte);
    if (character === '"' || character === "\\") return `\\${character}`;
    return byte >= 0x20 && byte < 0x7f ? character : `\\${byte.toString(8).padStart(3, "0")}`;
  });
  return `"${bytes.join("")}"`;
}

function replaceAll(before: string, after: string, skippedLines: number): string {
  const [old, fresh] = [linesOf(before), linesOf(after)];
  const range = ({ length }: readonly string[]): string => `${skippedLines + (length === 0 ? 0 : 1)},${length}`;
  return `@@ -${range(old)} +${range(fresh)} @@\n${marked("-", old, before)}${marked("+", fresh, after)}`;
}

function linesOf(text: string): string[] {
  if (text === "") return [];
  return (text.endsWith("\n") ? text.slice(0, -1) : text).split("\n");
}

function marked(sign: string, lines: readonly string[], text: string): string {
  const body = lines.map((line) => `${sign}${line}\n`).join("");
  return lines.length === 0 || text.endsWith("\n") ? body : `${body}\\ No newline at end of file\n`;
}
