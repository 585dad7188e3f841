import type { Markdown } from "./markdown.ts";
import { wrapWords } from "./wrap-words.ts";

/** Text that is no Markdown, line by line as it comes: what stands in it stays, and its lines break between words. */
export function createProse(columns: () => number): Markdown {
  let line = "";
  const rows = (text: string): string => wrapWords(text, columns() - 1, { long: "whole" }).join("\n");
  return {
    push(text) {
      const lines = (line + text).split("\n");
      line = lines.pop() ?? "";
      return lines.map((whole) => `${rows(whole)}\n`).join("");
    },
    preview: () => (line === "" ? "" : rows(line)),
    end() {
      const last = line === "" ? "" : rows(line);
      line = "";
      return last;
    },
  };
}
