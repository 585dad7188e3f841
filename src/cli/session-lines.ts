import { durationMs } from "@bufbuild/protobuf/wkt";
import {
  type FileChanged,
  FileChangeKind,
  MessageStatus,
  type RetryScheduled,
  type ToolResult,
  ToolCallState,
  type TurnEnded,
  TurnEndReason,
} from "../client/client.ts";
import { formatSpan } from "./format.ts";
import { shorten, widthOf } from "./terminal/width.ts";
import type { Output } from "./output.ts";

export interface ShownCall {
  readonly name: string;
  /** JSON, or what the model sent instead. */
  readonly args: string;
}

/** Of a line on a terminal, what arguments may take; the result gets the rest. */
const MAX_ARGS = 60;
const MAX_PIPED = 400;

/** A tool call and what came of it, on one line. */
export function callLine(output: Output, call: ShownCall | undefined, result: ToolResult): string {
  const { style } = output;
  const name = output.foreignLine(call?.name ?? "tool");
  const args = shorten(output.foreignLine(call === undefined || call.args === "{}" ? "" : call.args), MAX_ARGS);
  const head = `${name}(${args})`;
  const room = output.isTerminal ? Math.max(20, output.columns - widthOf(head) - 6) : MAX_PIPED;
  const text = shorten(output.foreignLine(result.text.trim()), room);
  return `${(MARKS[result.state] ?? plainMark)(output)} ${style.bold(name)}${style.dim(`(${args}) → ${text}`)}`;
}

const plainMark = (): string => "⚙";
const MARKS: Readonly<Partial<Record<ToolCallState, (output: Output) => string>>> = {
  [ToolCallState.SUCCEEDED]: ({ style }) => style.green("⚙"),
  [ToolCallState.FAILED]: ({ style }) => style.red("⚙"),
  [ToolCallState.CANCELLED]: ({ style }) => style.dim("⚙"),
  [ToolCallState.UNKNOWN]: ({ style }) => style.yellow("⚙"),
};

/** Why a turn ended, in words; undefined where it said all it had to say. */
export function turnEndText(output: Output, { reason, error }: TurnEnded): string | undefined {
  const told =
    error === undefined ? "" : `: ${output.foreignLine(error.message)} (${output.foreignLine(error.reason)})`;
  switch (reason) {
    case TurnEndReason.UNSPECIFIED:
    case TurnEndReason.COMPLETED:
      return undefined;
    case TurnEndReason.CANCELLED:
      return "stopped";
    case TurnEndReason.FAILED:
      return `failed${told}`;
    case TurnEndReason.LIMIT_REACHED:
      return `limit reached${told}`;
    case TurnEndReason.INTERRUPTED:
      return `interrupted${told}`;
  }
  // A newer engine's.
  return `ended${told}`;
}

/** The same as a line of a conversation. */
export function turnEndLine(output: Output, end: TurnEnded, hint?: string): string | undefined {
  const { style } = output;
  const text = turnEndText(output, end);
  if (text === undefined) return undefined;
  if (end.reason === TurnEndReason.CANCELLED) return style.dim(`■ ${text}`);
  return style.red(`✗ ${text}`) + style.dim(hint === undefined ? "" : `; ${hint}`);
}

/** Why a model call is made again, and when. */
export function retryText({ attempt, maxAttempts, delay, error }: RetryScheduled): string {
  const wait = formatSpan(delay === undefined ? 0 : Math.max(1000, durationMs(delay)));
  return `${error?.message ?? "the model call failed"}; try ${attempt + 1} of ${maxAttempts} in ${wait}`;
}

/** That messages are gone, in words. */
export function clearedText(firstMessageId: string): string {
  return firstMessageId === ""
    ? "⟲ the history was cleared: nothing above is in the session any more"
    : "⟲ rewound: some of what stands above is not in the session any more";
}

/** What a tool did to a file. */
export function fileChangedText({ path, kind, addedLines, removedLines }: FileChanged): string {
  const counts = [...(addedLines > 0 ? [`+${addedLines}`] : []), ...(removedLines > 0 ? [`−${removedLines}`] : [])];
  return `✎ ${CHANGES[kind] ?? "changed"} ${path}${counts.length > 0 ? ` (${counts.join(" ")})` : ""}`;
}

const CHANGES: Readonly<Partial<Record<FileChangeKind, string>>> = {
  [FileChangeKind.CREATED]: "made",
  [FileChangeKind.DELETED]: "removed",
};

/** The most files that one line names. */
const MAX_NAMED = 5;

/** That files are as they were before a turn. */
export function revertedText(paths: readonly string[]): string {
  const more = paths.length - MAX_NAMED;
  return `⟲ as before the turn again: ${paths.slice(0, MAX_NAMED).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

/** What became of a message that is not whole: in a list of messages nothing else tells it. */
export const CUT_OFF: Partial<Record<MessageStatus, string>> = {
  [MessageStatus.CANCELLED]: "■ stopped here",
  [MessageStatus.FAILED]: "✗ failed here",
  [MessageStatus.INTERRUPTED]: "✗ cut off here",
};
