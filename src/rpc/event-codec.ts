import { create, fromBinary, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { EventSchema, OutputStream, type Event } from "../../gen/ts/parley/v1/event_pb.ts";
import type { Delta, EventPayload, LogEntry } from "../event/event.ts";
import { fileChangedToProto } from "./change-proto.ts";
import { encodeCompleted } from "./message-bytes.ts";
import { messageToProto, outcomeToProto, roleToProto, structOf, toolResultToProto } from "./message-proto.ts";
import { queuedToProto } from "./queue-proto.ts";
import { requestToProto } from "./request-proto.ts";
import { sessionToProto } from "./session-proto.ts";
import { todoToProto } from "./todo-proto.ts";
import { endReasonToProto, turnErrorToProto, turnToProto } from "./turn-proto.ts";
import { usageToProto } from "./usage-proto.ts";

type PayloadInit = NonNullable<MessageInitShape<typeof EventSchema>["payload"]>;

/** What an old client may ignore without showing something false. */
const SKIPPABLE: ReadonlySet<EventPayload["kind"]> = new Set([
  "step_started",
  "usage_reported",
  "retry_scheduled",
  "warning",
]);

/** The bytes a row of the log holds: an Event without what the row's own columns say. */
export function encodePayload(payload: EventPayload): Uint8Array {
  const completed = payload.kind === "message_completed" ? encodeCompleted(payload.message) : undefined;
  if (completed !== undefined) return completed;
  return toBinary(
    EventSchema,
    create(EventSchema, { skippable: SKIPPABLE.has(payload.kind), payload: payloadToProto(payload) }),
  );
}

/** An entry of the log as clients see it. */
export function entryToProto(entry: LogEntry): Event {
  return fromBinary(EventSchema, encodeEntry(entry));
}

/**
 * The bytes of an entry as clients see it: what its columns say, then the stored payload as it is. Messages of protobuf that
 * stand one after the other are one message, so nothing is decoded that was encoded before.
 */
export function encodeEntry(entry: LogEntry): Uint8Array {
  const { turnId } = entry;
  const columns = { seq: BigInt(entry.seq), createTime: timestampFromMs(entry.createTimeMs), turnId };
  if ("delta" in entry) {
    // Who does not know output shows a call that runs, and then its result.
    const skippable = "callId" in entry.delta;
    return toBinary(EventSchema, create(EventSchema, { ...columns, skippable, payload: deltaToProto(entry.delta) }));
  }
  const head = toBinary(EventSchema, create(EventSchema, { ...columns, actor: entry.actor }));
  return Buffer.concat([head, entry.payload]);
}

// Its payload is the first field of a stored event that is not skippable.
const TURN_ENDED_TAG = tagOf(EventSchema.field.turnEnded.number);
const HISTORY_CLEARED_TAG = tagOf(EventSchema.field.historyCleared.number);

function tagOf(field: number): Uint8Array {
  return new BinaryWriter().tag(field, WireType.LengthDelimited).finish();
}

function hasTag(entry: LogEntry, tag: Uint8Array): boolean {
  return !("delta" in entry) && tag.every((byte, i) => entry.payload[i] === byte);
}

/**
 * Whether nothing more of a turn comes after an entry; looks at its first bytes. A cut of the history is made when no turn
 * runs: who has not seen the turn's end by then never will, since the turn went with it.
 */
export function isTurnOver(entry: LogEntry, turnId: string): boolean {
  return (entry.turnId === turnId && hasTag(entry, TURN_ENDED_TAG)) || hasTag(entry, HISTORY_CLEARED_TAG);
}

function deltaToProto(delta: Delta): PayloadInit {
  switch (delta.kind) {
    case "text":
      return { case: "textDelta", value: { messageId: delta.messageId, text: delta.text } };
    case "reasoning":
      return { case: "reasoningDelta", value: { messageId: delta.messageId, text: delta.text } };
    case "stdout":
    case "stderr": {
      const stream = delta.kind === "stdout" ? OutputStream.STDOUT : OutputStream.STDERR;
      return { case: "toolOutputDelta", value: { callId: delta.callId, stream, data: delta.text } };
    }
  }
}

function payloadToProto(payload: EventPayload): PayloadInit {
  switch (payload.kind) {
    case "turn_started":
      return { case: "turnStarted", value: { turn: turnToProto(payload.turn) } };
    case "turn_ended": {
      const { error } = payload;
      const reason = endReasonToProto(payload.reason);
      const usage = usageToProto(payload.usage);
      return {
        case: "turnEnded",
        value: { reason, usage, ...(error !== undefined && { error: turnErrorToProto(error) }) },
      };
    }
    case "step_started":
      return { case: "stepStarted", value: { step: payload.step, model: payload.model } };
    case "message_started": {
      const { messageId, model } = payload;
      return { case: "messageStarted", value: { messageId, role: roleToProto(payload.role), model } };
    }
    case "message_completed":
      return { case: "messageCompleted", value: { message: messageToProto(payload.message) } };
    case "tool_call_requested": {
      const { callId, name, messageId } = payload;
      return { case: "toolCallRequested", value: { callId, name, arguments: structOf(payload.arguments), messageId } };
    }
    case "tool_call_started": {
      const { callId, name } = payload;
      return { case: "toolCallStarted", value: { callId, name, arguments: structOf(payload.arguments) } };
    }
    case "tool_call_ended": {
      const { callId, messageId } = payload;
      const state = outcomeToProto(payload.outcome);
      return { case: "toolCallEnded", value: { callId, state, result: toolResultToProto(payload), messageId } };
    }
    case "request_opened":
      return { case: "requestOpened", value: { request: requestToProto(payload.request) } };
    case "request_resolved":
      return { case: "requestResolved", value: { request: requestToProto(payload.request) } };
    case "usage_reported": {
      const { messageId } = payload;
      const turnUsage = usageToProto(payload.turnUsage);
      return { case: "usageReported", value: { messageId, usage: usageToProto(payload.usage), turnUsage } };
    }
    case "retry_scheduled": {
      const { attempt, maxAttempts } = payload;
      const delay = durationFromMs(payload.delayMs);
      return { case: "retryScheduled", value: { attempt, maxAttempts, delay, error: turnErrorToProto(payload.error) } };
    }
    case "model_changed":
      return { case: "modelChanged", value: { profile: payload.profile, model: payload.model } };
    case "queue_changed": {
      const { removedIds } = payload;
      return {
        case: "queueChanged",
        value: { queued: payload.queued.map(queuedToProto), removedIds: [...removedIds] },
      };
    }
    case "message_updated":
      return { case: "messageUpdated", value: { message: messageToProto(payload.message) } };
    case "history_cleared": {
      const { firstMessageId, lastMessageId } = payload;
      return { case: "historyCleared", value: { firstMessageId, lastMessageId } };
    }
    case "file_changed":
      return { case: "fileChanged", value: fileChangedToProto(payload) };
    case "files_reverted":
      return { case: "filesReverted", value: { turnId: payload.turnId, paths: [...payload.paths] } };
    case "todo_changed":
      return { case: "todoChanged", value: { items: payload.items.map(todoToProto) } };
    case "session_changed":
      return { case: "sessionChanged", value: { session: sessionToProto(payload.session) } };
    case "warning":
      return { case: "warning", value: { reason: payload.reason, message: payload.message } };
  }
}
