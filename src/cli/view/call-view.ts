import { type FileChanged, FileChangeKind, type ToolResult, ToolCallState } from "../../client/client.ts";
import { callText } from "../answering/call-lines.ts";
import { readJsonObject } from "../answering/json-object.ts";
import type { Output } from "../output.ts";
import { diffLines } from "../terminal/diff-lines.ts";
import { shorten, widthOf } from "../terminal/width.ts";
import { firstRowsOf } from "../terminal/wrap.ts";

export interface ShownCall {
  readonly name: string;
  /** JSON, or what the model sent instead. */
  readonly args: string;
}

/** Of a line on a terminal, what arguments may take; the result gets the rest. */
const MAX_ARGS = 60;
const MAX_PIPED = 400;
/** Of what a tool told, and of a diff, so many lines are shown. */
const MAX_LINES = 8;
const MAX_DIFF_ROWS = 24;

/** What the model is told where something else ran than it asked for: shown as what ran. */
const EDITED = /^\[A human changed the arguments before it ran; it ran with: [^]*?\]\n/;
/** What the model is told of a denial, before its reason. */
const DENIED = /^The call was denied and did not run: /;

/** A tool call and what came of it: one line, and under it, folded, what it told where that is more than a line. */
export function callLines(output: Output, call: ShownCall | undefined, result: ToolResult): string[] {
  const { style, foreign, foreignLine } = output;
  const text = result.text.replace(EDITED, "");
  const name = foreignLine(call?.name ?? "tool");
  // In a narrow window both are cut, and stay on one row.
  const most = output.isTerminal ? Math.min(MAX_ARGS, Math.max(10, output.columns - widthOf(name) - 26)) : MAX_ARGS;
  const rest = shorten(foreignLine(call === undefined ? "" : restOf(call)), most);
  const mark = (MARKS[result.state] ?? plainMark)(output);
  const change = text === result.text ? "" : style.yellow(" (as edited)");
  const head = `${mark} ${style.bold(name)}${style.dim(rest)}${change}`;
  const [first = "", ...more] = foreign(text.trim()).split("\n");
  const room = output.isTerminal ? Math.max(20, output.columns - widthOf(`${name}${rest}`) - 6) : MAX_PIPED;
  // How a call ended, or all that it told; a list or a file has nothing to stand for all of it.
  const isTold = more.length === 0 || call?.name === "shell";
  const isDenied = result.state === ToolCallState.DENIED;
  const lines = isDenied ? [] : isTold ? more : [first, ...more];
  const ending = isDenied ? result.text.replace(DENIED, "denied: ") : first;
  const told = isTold || isDenied ? shorten(foreignLine(ending), room) : countText(lines.length);
  return [`${head}${style.dim(` → ${told}`)}`, ...foldedLines(output, lines)];
}

function foldedLines({ style, foreignLine, isTerminal, columns }: Output, all: readonly string[]): string[] {
  const { rows, more } = firstRowsOf(
    all.filter((line) => line !== "[no output]"),
    MAX_LINES,
  );
  const width = isTerminal ? Math.max(20, columns - 5) : MAX_PIPED;
  const lines = rows.map((line) => style.dim(`  │ ${shorten(foreignLine(line.replaceAll("\t", "    ")), width)}`));
  return more === 0 ? lines : [...lines, style.dim(`  │ … ${countText(more).replace("line", "more line")}`)];
}

function countText(count: number): string {
  return `${count} line${count === 1 ? "" : "s"}`;
}

/** What stands behind the name of a tool: its most telling argument, or all of them. */
function restOf({ name, args }: ShownCall): string {
  const read = readJsonObject(args);
  return typeof read === "string" ? `(${args})` : callText({ tool: name, args: read }).slice(name.length) || "()";
}

const plainMark = (): string => "⚙";
const MARKS: Readonly<Partial<Record<ToolCallState, (output: Output) => string>>> = {
  [ToolCallState.SUCCEEDED]: ({ style }) => style.green("⚙"),
  [ToolCallState.FAILED]: ({ style }) => style.red("⚙"),
  [ToolCallState.DENIED]: ({ style }) => style.red("⚙"),
  [ToolCallState.CANCELLED]: ({ style }) => style.dim("⚙"),
  [ToolCallState.UNKNOWN]: ({ style }) => style.yellow("⚙"),
};

/** That a tool changed a file, and how: the diff in colour, as much of it as is read at a glance. */
export function changeLines(output: Output, { kind, path, diff, addedLines, removedLines }: FileChanged): string[] {
  const { style, foreignLine } = output;
  const counts = [
    ...(addedLines > 0 ? [style.green(`+${addedLines}`)] : []),
    ...(removedLines > 0 ? [style.red(`−${removedLines}`)] : []),
  ];
  const head = `${style.dim(`✎ ${CHANGES[kind] ?? "changed"}`)} ${foreignLine(path)}${counts.length > 0 ? ` (${counts.join(" ")})` : ""}`;
  if (diff === "") return [head];
  const columns = output.isTerminal ? Math.max(20, output.columns - 5) : MAX_PIPED;
  const { rows, more } = firstRowsOf(diffLines(output, diff, { columns, hidesNames: true }), MAX_DIFF_ROWS);
  const lines = rows.map((row) => `  ${style.dim("│")} ${row}`);
  return more === 0
    ? [head, ...lines]
    : [head, ...lines, style.dim(`  │ … ${countText(more).replace("line", "more line")}`)];
}

const CHANGES: Readonly<Partial<Record<FileChangeKind, string>>> = {
  [FileChangeKind.CREATED]: "made",
  [FileChangeKind.DELETED]: "removed",
};
