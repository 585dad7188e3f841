import { createMarkdown } from "./terminal/markdown.ts";
import type { Output } from "./output.ts";
import type { Page } from "./page.ts";

/** A message that is being made, on a page. */
export interface ShownAnswer {
  readonly id: string;
  add(text: string): void;
  end(): void;
}

export function createShownAnswer(output: Output, page: Page, id: string, isMarkdown: boolean): ShownAnswer {
  const block = `text ${id}`;
  if (!isMarkdown) return { id, add: (text) => page.write(block, text), end: () => undefined };
  const markdown = createMarkdown({ style: output.style, columns: () => output.columns });
  return {
    id,
    add(text) {
      const lines = markdown.push(text);
      if (lines !== "") page.write(block, lines);
      page.preview(block, markdown.preview());
    },
    end() {
      const rest = markdown.end();
      page.preview(block, "");
      if (rest !== "") page.write(block, rest);
    },
  };
}
