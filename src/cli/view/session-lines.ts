import { durationMs } from "@bufbuild/protobuf/wkt";
import { MessageStatus, type RetryScheduled, type TurnEnded, TurnEndReason } from "../../client/client.ts";
import { formatSpan } from "./format.ts";
import type { Output } from "../output.ts";
import { wrapWords } from "../terminal/wrap-words.ts";

/** What a human said. On a terminal it breaks between words, but for lines that begin with a space, which may be code. */
export function saidLines({ style, foreign, isTerminal, columns }: Output, text: string): string[] {
  const mark = style.cyan("›");
  return foreign(text)
    .split("\n")
    .flatMap((line, index) => {
      const marked = index === 0 ? `${mark} ${line}` : line;
      if (!isTerminal || /^\s/.test(line)) return [marked];
      return wrapWords(marked, columns - 1, { hang: index === 0 ? 2 : 0, long: "whole" });
    });
}

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
