import { create, fromBinary, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import {
  EventSchema,
  OutputStream,
  ReasoningDeltaSchema,
  TextDeltaSchema,
  ToolOutputDeltaSchema,
  type Event,
} from "../../gen/ts/parley/v1/event_pb.ts";
import type { Delta, EventPayload, LogEntry, OutputKind } from "../event/event.ts";
import { fileChangedToProto } from "./change-proto.ts";
import { encodeCompleted } from "./message-bytes.ts";
import { messageToProto, outcomeToProto, roleToProto, structOf, toolResultToProto } from "./message-proto.ts";
import { queuedToProto } from "./queue-proto.ts";
import { requestToProto } from "./request-proto.ts";
import { sessionToProto } from "./session-proto.ts";
import { todoToProto } from "./todo-proto.ts";
import { endReasonToProto, turnErrorToProto, turnToProto } from "./turn-proto.ts";
import { usageToProto } from "./usage-proto.ts";
import { openField, writeText, writeTime, writeWhole } from "./wire-fields.ts";

const { field: event } = EventSchema;
const { field: textDelta } = TextDeltaSchema;
const { field: reasoningDelta } = ReasoningDeltaSchema;
const { field: outputDelta } = ToolOutputDeltaSchema;

const STREAMS: Readonly<Record<OutputKind, OutputStream>> = {
  stdout: OutputStream.STDOUT,
  stderr: OutputStream.STDERR,
};

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
 * stand one after the other are one message, so nothing is decoded that was encoded before. By hand, since this is done for
 * each piece of each answer: the generated code takes almost twice as long.
 */
export function encodeEntry(entry: LogEntry): Uint8Array {
  const writer = new BinaryWriter();
  writeWhole(writer, event.seq.number, entry.seq);
  writeTime(writer, event.createTime.number, entry.createTimeMs);
  writeText(writer, event.turnId.number, entry.turnId);
  if ("delta" in entry) writeDelta(writer, entry.delta);
  else {
    writeText(writer, event.actor.number, entry.actor);
    writer.raw(entry.payload);
  }
  return writer.finish();
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

function writeDelta(writer: BinaryWriter, delta: Delta): void {
  switch (delta.kind) {
    case "text":
      openField(writer, event.textDelta.number);
      writeText(writer, textDelta.messageId.number, delta.messageId);
      writeText(writer, textDelta.text.number, delta.text);
      break;
    case "reasoning":
      openField(writer, event.reasoningDelta.number);
      writeText(writer, reasoningDelta.messageId.number, delta.messageId);
      writeText(writer, reasoningDelta.text.number, delta.text);
      break;
    case "stdout":
    case "stderr":
      // Who does not know output shows a call that runs, and then its result.
      writer.tag(event.skippable.number, WireType.Varint).bool(true);
      openField(writer, event.toolOutputDelta.number);
      writeText(writer, outputDelta.callId.number, delta.callId);
      writeWhole(writer, outputDelta.stream.number, STREAMS[delta.kind]);
      writeText(writer, outputDelta.data.number, delta.text);
  }
  writer.join();
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
