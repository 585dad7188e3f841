import type { Event, HistoryCleared, ToolCallEnded } from "../../gen/ts/parley/v1/event_pb.ts";
import { type Message, MessageStatus, Role } from "../../gen/ts/parley/v1/message_pb.ts";
import type { GetSnapshotResponse } from "../../gen/ts/parley/v1/session_service_pb.ts";

/** One message as far as it is known. */
export interface TranscriptMessage {
  readonly id: string;
  readonly turnId: string;
  readonly role: Role;
  readonly text: string;
  readonly reasoning: string;
  /** UNSPECIFIED while it is being made. */
  readonly status: MessageStatus;
  /** The message itself, once it is whole: with its tool calls, usage and times. */
  readonly message: Message | undefined;
}

/** A session's messages, in the order in which they began; there may be older ones that are not in it. */
export interface Transcript {
  readonly messages: Map<string, TranscriptMessage>;
}

/**
 * An empty one, for a log that is read from its beginning; or what a snapshot holds, for one that is watched from the
 * snapshot's `lastSeq`: the deltas after it go on in the middle of the partial message.
 */
export function createTranscript(snapshot?: Pick<GetSnapshotResponse, "messages" | "partialMessage">): Transcript {
  const messages = new Map<string, TranscriptMessage>();
  for (const message of snapshot?.messages ?? []) messages.set(message.id, wholeMessage(message));
  const partial = snapshot?.partialMessage;
  if (partial !== undefined) {
    const { messageId, turnId, role, text, reasoning } = partial;
    messages.set(messageId, { ...emptyMessage(messageId, turnId), role, text, reasoning });
  }
  return { messages };
}

/**
 * Takes up an event: deltas make a message grow, `message_completed` and `message_updated` replace it, `history_cleared`
 * takes messages away. Returns the message that changed, undefined where the event changes none. After a `reset` begin with
 * a new transcript.
 */
export function applyEvent(transcript: Transcript, event: Event): TranscriptMessage | undefined {
  if (event.payload.case === "historyCleared") clear(transcript, event.payload.value);
  const changed = changedMessage(transcript, event);
  if (changed !== undefined) transcript.messages.set(changed.id, changed);
  return changed;
}

function changedMessage(transcript: Transcript, { payload, turnId }: Event): TranscriptMessage | undefined {
  switch (payload.case) {
    case "messageStarted":
      return { ...emptyMessage(payload.value.messageId, turnId), role: payload.value.role };
    case "textDelta": {
      const partial = partialOf(transcript, payload.value.messageId, turnId);
      return partial && { ...partial, text: partial.text + payload.value.text };
    }
    case "reasoningDelta": {
      const partial = partialOf(transcript, payload.value.messageId, turnId);
      return partial && { ...partial, reasoning: partial.reasoning + payload.value.text };
    }
    case "messageCompleted":
      return payload.value.message && wholeMessage(payload.value.message);
    case "messageUpdated": {
      const { message } = payload.value;
      // One that is not known is older than what is shown, and has no place in it.
      return message && transcript.messages.has(message.id) ? wholeMessage(message) : undefined;
    }
    case "toolCallEnded":
      return toolMessage(payload.value, turnId);
    case "turnStarted":
    case "turnEnded":
    case "stepStarted":
    case "toolCallRequested":
    case "toolCallStarted":
    case "toolOutputDelta":
    case "requestOpened":
    case "requestResolved":
    case "usageReported":
    case "retryScheduled":
    case "modelChanged":
    case "historyCleared":
    case "queueChanged":
    case "fileChanged":
    case "filesReverted":
    case "todoChanged":
    case "sessionChanged":
    case "warning":
    case undefined:
      return undefined;
  }
}

/**
 * Takes away a message and all after it. Where it is not known, all after the last one that is left: it came and went unseen.
 * Where that is not known either, both are older than what is shown, and all of that is gone.
 */
function clear({ messages }: Transcript, { firstMessageId, lastMessageId }: HistoryCleared): void {
  const ids = [...messages.keys()];
  const first = messages.has(firstMessageId) ? ids.indexOf(firstMessageId) : ids.indexOf(lastMessageId) + 1;
  for (const id of ids.slice(first)) messages.delete(id);
}

/** Who comes in the middle of a message has not seen it begin. A message that is whole grows no more. */
function partialOf(transcript: Transcript, messageId: string, turnId: string): TranscriptMessage | undefined {
  const known = transcript.messages.get(messageId) ?? emptyMessage(messageId, turnId);
  return known.status === MessageStatus.UNSPECIFIED ? known : undefined;
}

function emptyMessage(id: string, turnId: string): TranscriptMessage {
  const status = MessageStatus.UNSPECIFIED;
  return { id, turnId, role: Role.ASSISTANT, text: "", reasoning: "", status, message: undefined };
}

/** Folds a stored message into the same shape as a streamed one. */
export function wholeMessage(message: Message): TranscriptMessage {
  let text = "";
  let reasoning = "";
  for (const { content } of message.parts) {
    if (content.case === "text") text += content.value;
    else if (content.case === "reasoning") reasoning += content.value.text;
    else if (content.case === "toolResult") text += content.value.text;
  }
  const { id, turnId, role, status } = message;
  return { id, turnId, role, text, reasoning, status, message };
}

function toolMessage({ messageId, result }: ToolCallEnded, turnId: string): TranscriptMessage {
  const empty = emptyMessage(messageId, turnId);
  return { ...empty, role: Role.TOOL, text: result?.text ?? "", status: MessageStatus.COMPLETE };
}
