import { setImmediate } from "node:timers/promises";
import { MAX_FILE_BYTES } from "../../workspace/safe-file.ts";
import { textOf } from "./file-text.ts";
import type { Line, Search, SearchRequest } from "./search.ts";

/** Streams of other sessions wait no longer than this for a search. */
const MAX_BUSY_MS = 10;

/** Longer lines are data, and would hold up the engine. */
const MAX_LINE_CHARS = 20_000;

/** Searches with a library whose time grows with the text, whatever the pattern is. Throws with a message for the model. */
export async function createLibrarySearch({ pattern, ignoreCase }: SearchRequest): Promise<Search> {
  const { RE2JS } = await import("re2js");
  const compile = () => {
    try {
      return RE2JS.compile(pattern, ignoreCase ? RE2JS.CASE_INSENSITIVE : 0);
    } catch (error) {
      throw new Error(`the pattern is no regular expression: ${(error as Error).message}`, { cause: error });
    }
  };
  const regex = compile();
  return async (files, max, signal) => {
    const lines: Line[] = [];
    let busySince = performance.now();
    for (const { path, handle } of files) {
      if ((await handle.stat()).size > MAX_FILE_BYTES) continue;
      const text = textOf(await handle.readFile());
      if (text === undefined) continue;
      for (const [index, line] of text.split("\n").entries()) {
        if (performance.now() - busySince > MAX_BUSY_MS) {
          await setImmediate();
          signal.throwIfAborted();
          busySince = performance.now();
        }
        if (line.length > MAX_LINE_CHARS || !regex.matcher(line).find()) continue;
        lines.push({ path, number: index + 1, text: line.replace(/\r$/, "") });
        if (lines.length === max) return lines;
      }
    }
    return lines;
  };
}
