import { UsageError } from "../failure.ts";

/** The words of a line, as a shell takes it apart: with quotes and backslashes, and nothing else of a shell. */
export function typedWords(line: string): string[] {
  const words: string[] = [];
  const pattern = /\s*((?:[^\s"'\\]|\\[^]|"(?:[^"\\]|\\[^])*"|'[^']*')+)/gy;
  let at = 0;
  for (const match of line.matchAll(pattern)) {
    words.push(unquote(match[1] ?? ""));
    at = match.index + match[0].length;
  }
  if (line.slice(at).trim() !== "") throw new UsageError("a quote is not closed");
  return words;
}

function unquote(word: string): string {
  return word.replace(
    /"((?:[^"\\]|\\[^])*)"|'([^']*)'|\\([^])/g,
    (_all, double: string | undefined, single: string | undefined, escaped: string | undefined) =>
      double?.replace(/\\(["\\])/g, "$1") ?? single ?? escaped ?? "",
  );
}
