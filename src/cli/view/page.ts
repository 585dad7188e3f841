import type { Output } from "../output.ts";
import { createSpinner, type Spinner } from "../terminal/spinner.ts";
import { wrapWords } from "../terminal/wrap-words.ts";

/** Blocks of text under each other, one empty line between two of different kinds. Text may come in pieces. */
export interface Page {
  /** Adds to the block of this name, or begins it. `paint` colours each line by itself. */
  write(block: string, text: string, paint?: (text: string) => string): void;
  /** One line of its own, which breaks between words on a terminal. Lines of the same kind stand under each other. */
  line(kind: string, text: string): void;
  /** Shows that something is waited for, until the next writing. */
  wait(label: string): void;
  stopWaiting(): void;
  /** Shows what the block of this name will go on with, where the output can show what is not final. Empty = nothing. */
  preview(block: string, text: string): void;
  /** Ends the line that is being written. */
  endLine(): void;
}

export interface PageOptions {
  /** Where waiting is shown; a line of the output unless given. */
  readonly spinner?: Spinner;
  /** Where text is shown that follows what was written, and may still change. */
  readonly onPreview?: (text: string) => void;
}

export function createPage(output: Output, options: PageOptions = {}): Page {
  const spinner = options.spinner ?? createSpinner(output);
  let current: string | undefined;
  let isAtLineStart = true;
  // Line feeds at the end of a block are held back, so that one empty line follows it, never more.
  let held = "";

  function endLine(): void {
    spinner.stop();
    held = "";
    if (!isAtLineStart) output.write("\n");
    isAtLineStart = true;
  }

  function begin(block: string): void {
    spinner.stop();
    if (block === current) return;
    endLine();
    if (current !== undefined) output.write("\n");
    current = block;
  }

  return {
    write(block, text, paint = (line) => line) {
      const isNew = block !== current;
      begin(block);
      const full = held + (isNew && held === "" ? text.replace(/^\n+/, "") : text);
      const body = full.replace(/\n+$/, "");
      held = full.slice(body.length);
      if (body === "") return;
      output.write(
        body
          .split("\n")
          .map((line) => paint(line))
          .join("\n"),
      );
      isAtLineStart = false;
    },
    line(kind, text) {
      begin(kind);
      endLine();
      for (const row of output.isTerminal ? brokenRows(text, output.columns) : [text]) output.write(`${row}\n`);
    },
    wait(label) {
      if (!output.isTerminal) return;
      endLine();
      spinner.start(label);
    },
    stopWaiting: () => spinner.stop(),
    preview(block, text) {
      if (text !== "") spinner.stop();
      const gap = block === current ? held : current === undefined ? "" : isAtLineStart ? "\n" : "\n\n";
      options.onPreview?.(text === "" ? "" : gap + text);
    },
    endLine,
  };
}

function brokenRows(text: string, columns: number): string[] {
  return text.split("\n").flatMap((line) => {
    const indent = line.length - line.trimStart().length;
    return wrapWords(line, columns, { hang: indent + 2, long: "whole" });
  });
}
