import { type CodeColors, createCodeColors } from "./code-colors.ts";
import { inlineMarkdown, plainMarkdown } from "./markdown-inline.ts";
import { createTable, isTableRow, type Table } from "./markdown-table.ts";
import type { Style } from "./style.ts";
import { shorten, widthOf } from "./width.ts";
import { wrapWords } from "./wrap-words.ts";

/** Markdown as it comes, made ready for a terminal line by line: a line that was given out is never changed. */
export interface Markdown {
  /** Takes up text and returns the lines that are whole now, each with its line feed. */
  push(text: string): string;
  /** What would come of the rest as it is now: for a place that is drawn again. */
  preview(): string;
  /** Returns the rest: nothing more comes. */
  end(): string;
}

export interface MarkdownOptions {
  readonly style: Style;
  readonly columns: () => number;
}

interface Fence {
  readonly mark: string;
  readonly indent: number;
  readonly colors: CodeColors;
}

export function createMarkdown({ style, columns }: MarkdownOptions): Markdown {
  let line = "";
  let fence: Fence | undefined;
  let table: Table | undefined;

  function render(text: string): string {
    const mark = FENCE.exec(text);
    if (mark?.groups !== undefined) return openFence(mark.groups);
    return renderLine(text, style, columns());
  }
  function openFence({ indent = "", mark = "", language = "" }: Readonly<Record<string, string>>): string {
    fence = { mark, indent: indent.length, colors: createCodeColors(language, style) };
    return ruleOf(language);
  }
  function code({ mark, indent, colors }: Fence, text: string): string {
    const closing = text.trim();
    if (closing.length >= mark.length && closing === (mark[0] ?? "").repeat(closing.length)) {
      fence = undefined;
      return ruleOf("");
    }
    return colors.line(text.replace(new RegExp(`^ {0,${indent}}`), ""));
  }
  /** Above and below code, and nothing beside it: what is copied is the code. */
  function ruleOf(language: string): string {
    const name = language === "" ? "" : ` ${shorten(language, 20)} `;
    return style.dim(`──${name}${"─".repeat(Math.max(0, Math.min(40, columns() - 1) - 2 - widthOf(name)))}`);
  }
  /** A whole line; a table is held back until it is known how wide its columns are. */
  function take(text: string): string {
    if (fence !== undefined) return `${code(fence, text)}\n`;
    if (isTableRow(text)) {
      table ??= createTable(style);
      table.add(text);
      return table.rows < MAX_TABLE_ROWS ? "" : endTable();
    }
    return `${endTable()}${render(text)}\n`;
  }
  function endTable(): string {
    const done = table === undefined ? "" : `${table.render(columns()).join("\n")}\n`;
    table = undefined;
    return done;
  }

  return {
    push(text) {
      const lines = (line + text).split("\n");
      line = lines.pop() ?? "";
      return lines.map(take).join("");
    },
    preview() {
      const rows = table?.render(columns()) ?? [];
      // A row of a table that is not whole yet would jump about.
      const last = line === "" || (table !== undefined && isTableRow(line)) ? [] : [previewLine()];
      return [...rows, ...last].join("\n");
    },
    end() {
      const last = line === "" ? "" : take(line).replace(/\n$/, "");
      line = "";
      const rows = endTable().replace(/\n$/, "");
      return [rows, last].filter((part) => part !== "").join("\n");
    },
  };

  function previewLine(): string {
    // Colours of code have a memory, which the line gets when it is whole.
    if (fence !== undefined) return line.replace(new RegExp(`^ {0,${fence.indent}}`), "");
    if (FENCE.test(line)) return ruleOf("");
    // It is looked at anew with each word that comes.
    return line.length > MAX_LINE_CHARS ? line : renderLine(line, style, columns());
  }
}

const FENCE = /^(?<indent> {0,12})(?<mark>`{3,}|~{3,})\s*(?<language>[^\s`{]*)[^`]*$/;
const HEADING = /^ {0,3}(?<level>#{1,6})\s+(?<text>.*?)\s*#*$/;
const RULE = /^ {0,3}(?:(?:\*\s*){3,}|(?:-\s*){3,}|(?:_\s*){3,})$/;
const QUOTE = /^ {0,3}>\s?(?<text>.*)$/;
const ITEM = /^(?<indent>\s*)(?<mark>[-*+]|\d{1,9}[.)])\s+(?:\[(?<box>[ xX])\]\s+)?(?<text>.*)$/;

/** What looks for marks looks again from each; a line longer than this is no Markdown that a human wrote. */
const MAX_LINE_CHARS = 4000;
/** A longer table comes in pieces. */
const MAX_TABLE_ROWS = 200;

/** A line of text as rows of the terminal: they break between words, as no terminal does by itself. */
function renderLine(text: string, style: Style, columns: number): string {
  const flow = (words: string, hang: number): string =>
    wrapWords(words, columns - 1, { hang, long: "whole" }).join("\n");
  if (text.length > MAX_LINE_CHARS) return flow(text, 0);
  if (RULE.test(text)) return style.dim("─".repeat(Math.min(40, columns - 1)));
  const heading = HEADING.exec(text)?.groups;
  if (heading !== undefined) {
    const words = style.bold(plainMarkdown(heading["text"] ?? ""));
    return flow(heading["level"]?.length === 1 ? style.underline(words) : words, 0);
  }
  const quote = QUOTE.exec(text)?.groups;
  if (quote !== undefined) {
    const rows = renderLine(quote["text"] ?? "", style, columns - 2).split("\n");
    return rows.map((row) => `${style.dim("▌")} ${row}`).join("\n");
  }
  const item = ITEM.exec(text)?.groups;
  if (item !== undefined) {
    const { indent = "", mark = "", box, text: words = "" } = item;
    const bullet = box === undefined ? (/\d/.test(mark) ? mark : "•") : box === " " ? "☐" : "☑";
    return flow(`${indent}${style.cyan(bullet)} ${inlineMarkdown(words, style)}`, widthOf(`${indent}${bullet} `));
  }
  return flow(inlineMarkdown(text, style), text.length - text.trimStart().length);
}
