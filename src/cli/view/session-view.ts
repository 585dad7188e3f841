import {
  applyEvent,
  createTranscript,
  type Event,
  type GetSnapshotResponse,
  MessageStatus,
  type OpenToolCall,
  type Part,
  QueuedKind,
  type Request,
  Role,
  type TodoItem,
  type ToolResult,
  type Transcript,
  type TranscriptMessage,
} from "../../client/client.ts";
import { wholeMessage } from "../../client/transcript.ts";
import { callLines, changeLines, type ShownCall } from "./call-view.ts";
import { attachmentLines } from "./attachment-lines.ts";
import type { Output } from "../output.ts";
import { createPage, type Page } from "./page.ts";
import { answeredLine, callOf, requestLine } from "../requests/lines.ts";
import { createRunningOutput } from "./running-output.ts";
import { createShownAnswer, type ShownAnswer } from "./shown-answer.ts";
import { clearedText, CUT_OFF, retryText, revertedText, saidLines, turnEndLine } from "./session-lines.ts";
import { todoLines } from "./todo-lines.ts";

export interface SessionView {
  readonly page: Page;
  show(event: Event): void;
  /** A message from a list, whole. */
  showMessage(message: TranscriptMessage): void;
  /** A session at one moment: events after it go on from there. */
  showSnapshot(snapshot: GetSnapshotResponse): void;
  /** What follows is another log. */
  reset(): void;
}

export interface ViewOptions {
  /** A page of its own unless given. */
  readonly page?: Page;
  /** True: answers are Markdown, to be made legible. False: they are shown as they are. */
  readonly isMarkdown?: boolean;
  /** True: what waits is shown elsewhere. */
  readonly hidesQueue?: boolean;
  /** Whether a request was answered by who looks on; given where requests come up for an answer, and are not told here too. */
  readonly answeredHere?: (requestId: string) => boolean;
  /** What a human can do after a turn that did not complete. */
  readonly retryHint?: string;
}

/** Shows a session's events as a human reads them: the same to everyone who watches, at the same time or later. */
export function createSessionView(output: Output, options: ViewOptions = {}): SessionView {
  const page = options.page ?? createPage(output);
  const calls = new Map<string, ShownCall>();
  const running = createRunningOutput(output, page);
  const { style } = output;
  let transcript: Transcript = createTranscript();
  let answer: ShownAnswer | undefined;
  // A message that was cut off is marked once it is known that its turn goes on; its end says it otherwise.
  let cutOff: string | undefined;

  /** Writes what a message has more than before. */
  function showGrowth(before: TranscriptMessage | undefined, now: TranscriptMessage): void {
    const reasoning = added(before?.reasoning, now.reasoning);
    const text = added(before?.text, now.text);
    if (answer?.id !== now.id) {
      answer?.end();
      answer = createShownAnswer(output, page, now.id, options.isMarkdown === true);
    }
    // Thoughts that arrive after the answer have no place any more.
    if (reasoning && !before?.text) answer.think(output.foreign(reasoning));
    if (text) answer.add(output.foreign(text));
    if (now.status === MessageStatus.UNSPECIFIED) return;
    answer.end();
    answer = undefined;
    cutOff = CUT_OFF[now.status];
  }

  function markCutOff({ payload }: Event): void {
    if (cutOff === undefined || payload.case === "messageCompleted" || payload.case === "usageReported") return;
    const isToldAnyway = payload.case === "turnEnded" || payload.case === "retryScheduled";
    if (!isToldAnyway) page.line("end", style.dim(`${cutOff}; the turn goes on`));
    cutOff = undefined;
  }

  function showUser(message: TranscriptMessage): void {
    page.write(`user ${message.id}`, saidLines(output, message.text).join("\n"));
    page.endLine();
    for (const line of attachmentLines(output, message.message?.parts ?? [])) page.line(`user ${message.id}`, line);
  }

  function showEdited({ id, role, text }: TranscriptMessage): void {
    page.line("note", style.dim(`✎ what ${role === Role.USER ? "was said" : "was answered"} was edited; it is now:`));
    page.write(`edited ${id}`, output.foreign(text));
    page.endLine();
  }

  function showChange(before: TranscriptMessage | undefined, now: TranscriptMessage): void {
    if (now.role === Role.USER) showUser(now);
    else if (now.role === Role.SYSTEM) page.line("note", style.dim(`system: ${output.foreign(now.text)}`));
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
    running.end(result.callId);
    showLines(callLines(output, calls.get(result.callId), result));
    calls.delete(result.callId);
  }

  /** What tools do stands together. */
  function showLines(lines: readonly string[]): void {
    for (const line of lines) page.line("tool", line);
  }

  function showTodos(items: readonly TodoItem[]): void {
    for (const line of todoLines(output, items)) page.line("todo", line);
  }

  function showRequest(request: Request | undefined): void {
    if (options.answeredHere !== undefined || request === undefined) return;
    page.line("note", style.yellow(`? ${requestLine(output, request)}`));
    for (const row of callOf(output, request)) page.line("note", row);
  }

  function showAnswered(request: Request | undefined): void {
    if (request === undefined) return;
    // With the call that it is about.
    const block = request.permission === undefined ? "note" : "tool";
    page.line(block, answeredLine(output, request, options.answeredHere?.(request.id) === true));
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
      case "toolOutputDelta":
        return running.add(payload.value.callId, payload.value.data);
      case "toolCallEnded":
        return showResult(payload.value.result);
      case "requestOpened":
        return showRequest(payload.value.request);
      case "requestResolved":
        return showAnswered(payload.value.request);
      case "retryScheduled": {
        page.line("note", style.yellow(`↻ ${output.foreignLine(retryText(payload.value))}`));
        return page.wait("waiting to try again");
      }
      case "modelChanged":
        return page.line(
          "note",
          style.dim(output.foreignLine(`the model is ${payload.value.model} of ${payload.value.profile} now`)),
        );
      case "historyCleared":
        return page.line("note", style.dim(clearedText(payload.value.firstMessageId)));
      case "queueChanged":
        if (options.hidesQueue === true) return undefined;
        for (const { kind, preview } of payload.value.queued) {
          const what = kind === QueuedKind.STEER ? "said to the turn" : "said for afterwards";
          page.line("note", style.dim(`${what}: ${output.foreignLine(preview)}`));
        }
        return undefined;
      case "todoChanged":
        return showTodos(payload.value.items);
      case "fileChanged":
        return showLines(changeLines(output, payload.value));
      case "filesReverted":
        return page.line("note", style.dim(output.foreignLine(revertedText(payload.value.paths))));
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
      case "messageUpdated":
      case "usageReported":
      case "sessionChanged":
      case undefined:
        return undefined;
    }
  }

  function showMessage(message: TranscriptMessage): void {
    if (transcript.messages.has(message.id)) return;
    transcript.messages.set(message.id, message);
    showChange(undefined, message);
    for (const { content } of message.message?.parts ?? []) {
      if (content.case === "toolResult") showResult(content.value);
    }
    const cut = CUT_OFF[message.status];
    cutOff = undefined;
    if (cut !== undefined) page.line("end", style.dim(cut));
    page.endLine();
  }

  function showOpenCall({ callId, name, arguments: args, started, stdout, stderr }: OpenToolCall): void {
    calls.set(callId, { name, args: JSON.stringify(args ?? {}) });
    if (started) page.wait(`running ${name}`);
    if (stdout + stderr !== "") running.add(callId, stdout + stderr);
  }

  return {
    page,
    showMessage,
    showSnapshot(snapshot) {
      const { messages, partialMessage, toolCalls, runningTurn, requests, todos } = snapshot;
      for (const message of messages) showMessage(wholeMessage(message));
      if (todos.length > 0) showTodos(todos);
      const known = createTranscript(snapshot);
      const partial = partialMessage && known.messages.get(partialMessage.messageId);
      if (partial !== undefined) showGrowth(undefined, partial);
      transcript = known;
      if (runningTurn !== undefined && partial === undefined) page.wait("waiting for the model");
      for (const call of toolCalls) showOpenCall(call);
      for (const request of requests) showRequest(request);
    },
    show(event) {
      const { payload } = event;
      const id = payload.case === "messageCompleted" ? payload.value.message?.id : undefined;
      const before =
        id ?? (payload.case === "textDelta" || payload.case === "reasoningDelta" ? payload.value.messageId : undefined);
      const known = before === undefined ? undefined : transcript.messages.get(before);
      const changed = applyEvent(transcript, event);
      markCutOff(event);
      if (changed !== undefined) {
        if (payload.case === "messageUpdated") showEdited(changed);
        else showChange(known, changed);
      }
      showFact(event);
    },
    reset() {
      answer?.end();
      answer = undefined;
      cutOff = undefined;
      transcript = createTranscript();
      calls.clear();
      running.reset();
    },
  };
}

/** What to write so that what was shown becomes what is. A text that does not go on from it is shown whole. */
function added(before: string | undefined, now: string): string {
  if (before === undefined || before === "") return now;
  return now.startsWith(before) ? now.slice(before.length) : `\n\n${now}`;
}
