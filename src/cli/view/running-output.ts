import type { Output } from "../output.ts";
import type { Page } from "./page.ts";
import { shorten } from "../terminal/width.ts";

/** Of what a call prints, so many lines are shown while it runs, the last ones. */
const MAX_LINES = 6;

/** Of a line that never ends, so much is remembered. */
const MAX_LINE_CHARS = 2000;

/** What calls print while they run, on a terminal: there until their results are. */
export interface RunningOutput {
  add(callId: string, text: string): void;
  end(callId: string): void;
  reset(): void;
}

export function createRunningOutput(output: Output, page: Page): RunningOutput {
  const lastLines = new Map<string, readonly string[]>();

  function show(): void {
    // The line feed at the end begins a line that nobody has printed yet.
    const lines = [...lastLines.values()].flatMap((all) =>
      (all.at(-1) === "" ? all.slice(0, -1) : all).slice(-MAX_LINES),
    );
    const shown = lines.map((line) => shorten(`  │ ${output.foreignLine(shownPart(line))}`, output.columns - 1));
    page.preview("tool", shown.map((line) => output.style.dim(line)).join("\n"));
  }

  return {
    add(callId, text) {
      const lines = `${lastLines.get(callId)?.join("\n") ?? ""}${text}`.split("\n");
      lastLines.set(
        callId,
        lines.slice(-MAX_LINES - 1).map((line) => line.slice(-MAX_LINE_CHARS)),
      );
      show();
    },
    end(callId) {
      if (lastLines.delete(callId)) show();
    },
    reset() {
      if (lastLines.size === 0) return;
      lastLines.clear();
      show();
    },
  };
}

/** Bars of progress go back to the start of their line and write it again. */
function shownPart(line: string): string {
  return line.replace(/\r+$/, "").replace(/^[^]*\r/, "");
}
