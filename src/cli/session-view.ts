import { durationMs } from "@bufbuild/protobuf/wkt";
import {
  applyEvent,
  createTranscript,
  type Event,
  MessageStatus,
  type Part,
  QueuedKind,
  Role,
  type ToolResult,
  type Transcript,
  type TranscriptMessage,
} from "../client/client.ts";
import { formatSpan } from "./format.ts";
import type { Output } from "./output.ts";
import { createPage, type Page } from "./page.ts";
import { callLine, type ShownCall, turnEndLine } from "./session-lines.ts";

export interface SessionView {
  readonly page: Page;
  show(event: Event): void;
  /** A message from a list, whole. */
  showMessage(message: TranscriptMessage): void;
  /** What follows is another log. */
  reset(): void;
}

export interface ViewOptions {
  /** True for a message that its human sees already, since it was typed here. */
  readonly isTyped?: (message: TranscriptMessage) => boolean;
  /** What a human can do after a turn that did not complete. */
  readonly retryHint?: string;
}

/** Shows a session's events as a human reads them: the same to everyone who watches, at the same time or later. */
export function createSessionView(output: Output, options: ViewOptions = {}): SessionView {
  const page = createPage(output);
  const calls = new Map<string, ShownCall>();
  const { style } = output;
  let transcript: Transcript = createTranscript();

  /** Writes what a message has more than before. */
  function showGrowth(before: TranscriptMessage | undefined, now: TranscriptMessage): void {
    const reasoning = added(before?.reasoning, now.reasoning);
    // Thoughts that arrive after the answer have no place any more.
    if (reasoning && !before?.text) page.write(`reasoning ${now.id}`, output.foreign(reasoning), style.dim);
    const text = added(before?.text, now.text);
    if (text) page.write(`text ${now.id}`, output.foreign(text));
  }

  function showUser(message: TranscriptMessage): void {
    if (options.isTyped?.(message)) return;
    page.write(`user ${message.id}`, `${style.cyan("›")} ${output.foreign(message.text)}`);
    page.endLine();
  }

  function showChange(before: TranscriptMessage | undefined, now: TranscriptMessage): void {
    if (now.role === Role.USER) showUser(now);
    else if (now.role === Role.ASSISTANT) showGrowth(before, now);
    for (const part of now.message?.parts ?? []) rememberCall(part);
  }

  function rememberCall({ content }: Part): void {
    if (content.case !== "toolCall") return;
    const { callId, name, arguments: args, invalidArguments } = content.value;
    calls.set(callId, { name, args: invalidArguments || JSON.stringify(args ?? {}) });
  }

  function showResult(result: ToolResult | undefined): void {
    if (result === undefined) return;
    page.line("tool", callLine(output, calls.get(result.callId), result));
    calls.delete(result.callId);
  }

  function showFact({ payload }: Event): void {
    switch (payload.case) {
      case "turnStarted":
      case "stepStarted":
        return page.wait("waiting for the model");
      case "toolCallRequested":
      case "toolCallStarted": {
        const { callId, name, arguments: args } = payload.value;
        calls.set(callId, { name, args: JSON.stringify(args ?? {}) });
        return page.wait(`running ${name}`);
      }
      case "toolCallEnded":
        return showResult(payload.value.result);
      case "retryScheduled": {
        const { attempt, maxAttempts, delay, error } = payload.value;
        const wait = formatSpan(delay === undefined ? 0 : Math.max(1000, durationMs(delay)));
        const text = `${error?.message ?? "the model call failed"}; try ${attempt + 1} of ${maxAttempts} in ${wait}`;
        page.line("note", style.yellow(`↻ ${output.foreignLine(text)}`));
        return page.wait("waiting to try again");
      }
      case "modelChanged":
        return page.line(
          "note",
          style.dim(output.foreignLine(`the model is ${payload.value.model} of ${payload.value.profile} now`)),
        );
      case "queueChanged":
        for (const { kind, preview } of payload.value.queued) {
          const what = kind === QueuedKind.STEER ? "said to the turn" : "said for afterwards";
          page.line("note", style.dim(`${what}: ${output.foreignLine(preview)}`));
        }
        return undefined;
      case "warning":
        return page.line("note", style.yellow(`! ${output.foreignLine(payload.value.message)}`));
      case "turnEnded": {
        page.endLine();
        const line = turnEndLine(output, payload.value, options.retryHint);
        return line === undefined ? undefined : page.line("end", line);
      }
      case "messageStarted":
      case "textDelta":
      case "reasoningDelta":
      case "messageCompleted":
      case "usageReported":
      case "sessionChanged":
      case undefined:
        return undefined;
    }
  }

  return {
    page,
    show(event) {
      const { payload } = event;
      const id = payload.case === "messageCompleted" ? payload.value.message?.id : undefined;
      const before =
        id ?? (payload.case === "textDelta" || payload.case === "reasoningDelta" ? payload.value.messageId : undefined);
      const known = before === undefined ? undefined : transcript.messages.get(before);
      const changed = applyEvent(transcript, event);
      if (changed !== undefined) showChange(known, changed);
      showFact(event);
    },
    showMessage(message) {
      if (transcript.messages.has(message.id)) return;
      transcript.messages.set(message.id, message);
      showChange(undefined, message);
      for (const { content } of message.message?.parts ?? []) {
        if (content.case === "toolResult") showResult(content.value);
      }
      const cut = CUT_OFF[message.status];
      if (cut !== undefined) page.line("end", style.dim(cut));
      page.endLine();
    },
    reset() {
      transcript = createTranscript();
      calls.clear();
    },
  };
}

/** In a list of messages nothing else tells it. */
const CUT_OFF: Partial<Record<MessageStatus, string>> = {
  [MessageStatus.CANCELLED]: "■ stopped here",
  [MessageStatus.FAILED]: "✗ failed here",
  [MessageStatus.INTERRUPTED]: "✗ cut off here",
};

/** What to write so that what was shown becomes what is. A text that does not go on from it is shown whole. */
function added(before: string | undefined, now: string): string {
  if (before === undefined || before === "") return now;
  return now.startsWith(before) ? now.slice(before.length) : `\n\n${now}`;
}
