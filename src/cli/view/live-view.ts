import type { Context } from "../context.ts";
import { createPage } from "./page.ts";
import { createScreen } from "../terminal/screen.ts";
import { createSessionView, type SessionView } from "./session-view.ts";
import { createStatusLabel } from "../terminal/spinner.ts";

/** A session on a terminal, where somebody looks on and types nothing. */
export interface LiveView {
  readonly view: SessionView;
  /** One line that is none of the session's. */
  note(text: string): void;
  close(): void;
}

export function createLiveView({ out, err, stdout }: Context, isPlain: boolean): LiveView {
  const { dim } = out.style;
  const screen = createScreen({
    output: out,
    stdout,
    footer: () => {
      const waiting = label.label === "" ? [] : [dim(`… ${label.label}`)];
      return { lines: waiting, cursorAfter: waiting.join("\n") };
    },
  });
  const label = createStatusLabel(screen.refresh);
  const page = createPage(screen.out, { spinner: label, onPreview: screen.preview });
  return {
    view: createSessionView(screen.out, { page, isMarkdown: !isPlain }),
    note: (text) => page.line("note", dim(`parley: ${err.foreignLine(text)}`)),
    close: () => screen.close(),
  };
}
