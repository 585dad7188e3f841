import { createMarkdown, type Markdown } from "../terminal/markdown.ts";
import { createProse } from "../terminal/prose.ts";
import type { Output } from "../output.ts";
import type { Page } from "./page.ts";

/** A message that is being made, on a page. */
export interface ShownAnswer {
  readonly id: string;
  /** What the model thinks before it answers. */
  think(text: string): void;
  add(text: string): void;
  end(): void;
}

export function createShownAnswer(output: Output, page: Page, id: string, isMarkdown: boolean): ShownAnswer {
  const { style } = output;
  const columns = (): number => output.columns;
  const thoughts = createBlock(page, `reasoning ${id}`, isMarkdown ? createProse(columns) : undefined, style.dim);
  const answer = createBlock(page, `text ${id}`, isMarkdown ? createMarkdown({ style, columns }) : undefined);
  return {
    id,
    think: thoughts.add,
    add(text) {
      thoughts.end();
      answer.add(text);
    },
    end() {
      thoughts.end();
      answer.end();
    },
  };
}

/** Text that comes in pieces, as it is or made ready by a `flow`. */
function createBlock(page: Page, name: string, flow: Markdown | undefined, paint = (line: string): string => line) {
  let isOpen = false;
  const painted = (text: string): string => text.split("\n").map(paint).join("\n");
  return {
    add(text: string): void {
      if (flow === undefined) return page.write(name, text, paint);
      isOpen = true;
      const lines = flow.push(text);
      if (lines !== "") page.write(name, lines, paint);
      page.preview(name, painted(flow.preview()));
    },
    end(): void {
      if (flow === undefined || !isOpen) return;
      isOpen = false;
      const rest = flow.end();
      page.preview(name, "");
      if (rest !== "") page.write(name, rest, paint);
    },
  };
}
