import type { Output } from "../output.ts";
import { createTextField } from "../terminal/text-field.ts";
import { isEnter, type Step } from "./step.ts";

export interface EntryOptions {
  /** What is asked, as rows. */
  readonly head: (columns: number) => readonly string[];
  readonly text?: string;
  /** What Enter does. */
  readonly enter: string;
  readonly onEnter: (text: string) => void;
}

/** A text that is asked for. */
export function createEntryStep(output: Output, { head, text, enter, onEnter }: EntryOptions): Step {
  const field = createTextField(text);
  return {
    key(key) {
      if (!isEnter(key)) return field.key(key);
      // A backslash at the end begins another line, as where one talks.
      if (field.text.endsWith("\\")) {
        field.key({ name: "backspace" });
        field.key({ name: "return", meta: true });
      } else onEnter(field.text);
      return true;
    },
    view({ columns, rows }) {
      const above = head(columns);
      const { lines, cursorAfter } = field.view(output, columns, Math.max(1, rows - above.length));
      return {
        lines: [...above, ...lines],
        cursorAfter: [...above, cursorAfter].join("\n"),
        keys: `Enter ${enter} · Esc back`,
      };
    },
  };
}
