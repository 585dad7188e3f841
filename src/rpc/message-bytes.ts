import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { EventSchema, MessageCompletedSchema } from "../../gen/ts/parley/v1/event_pb.ts";
import { MessageSchema, PartSchema, ReasoningSchema, ToolResultSchema } from "../../gen/ts/parley/v1/message_pb.ts";
import { UsageSchema } from "../../gen/ts/parley/v1/usage_pb.ts";
import type { Message, Part } from "../message/message.ts";
import type { Usage } from "../usage/usage.ts";
import { outcomeToProto, roleToProto, statusToProto } from "./message-proto.ts";

const MS_PER_S = 1000;
const NANOS_PER_MS = 1_000_000;
// Of google.protobuf.Timestamp, which never changes.
const SECONDS = 1;
const NANOS = 2;

/** The kinds of parts that are written here. */
const WRITTEN: ReadonlySet<Part["kind"]> = new Set(["text", "reasoning", "tool_result"]);

const { field: message } = MessageSchema;
const { field: part } = PartSchema;
const { field: usage } = UsageSchema;
const { field: result } = ToolResultSchema;

/**
 * The bytes of the event that a message is whole, as the generated code writes them, in half the time: a copied
 * session has thousands. Undefined where a part is another than these, which only the generated code writes.
 */
export function encodeCompleted(said: Message): Uint8Array | undefined {
  if (!said.parts.every(isWritten)) return undefined;
  const writer = new BinaryWriter();
  open(writer, EventSchema.field.messageCompleted.number);
  open(writer, MessageCompletedSchema.field.message.number);
  text(writer, message.id.number, said.id);
  text(writer, message.sessionId.number, said.sessionId);
  text(writer, message.turnId.number, said.turnId);
  whole(writer, message.role.number, roleToProto(said.role));
  whole(writer, message.status.number, statusToProto(said.status));
  for (const one of said.parts) writePart(writer, one);
  text(writer, message.model.number, said.model);
  if (said.usage !== undefined) writeUsage(writer, said.usage);
  open(writer, message.createTime.number);
  whole(writer, SECONDS, Math.floor(said.createTimeMs / MS_PER_S));
  whole(writer, NANOS, (((said.createTimeMs % MS_PER_S) + MS_PER_S) % MS_PER_S) * NANOS_PER_MS);
  return writer.join().join().join().finish();
}

function isWritten(one: Part): boolean {
  return WRITTEN.has(one.kind) && !("images" in one || "blob" in one);
}

function writePart(writer: BinaryWriter, one: Part): void {
  open(writer, message.parts.number);
  if (one.kind === "text") {
    // Of a oneof: an empty text is set too.
    writer.tag(part.text.number, WireType.LengthDelimited).string(one.text);
  } else if (one.kind === "reasoning") {
    open(writer, part.reasoning.number);
    text(writer, ReasoningSchema.field.text.number, one.text);
    writer.join();
  } else if (one.kind === "tool_result") {
    open(writer, part.toolResult.number);
    text(writer, result.callId.number, one.callId);
    whole(writer, result.state.number, outcomeToProto(one.outcome));
    text(writer, result.text.number, one.text);
    writer.join();
  }
  writer.join();
}

function writeUsage(writer: BinaryWriter, used: Usage): void {
  open(writer, message.usage.number);
  whole(writer, usage.inputTokens.number, used.inputTokens);
  whole(writer, usage.outputTokens.number, used.outputTokens);
  whole(writer, usage.reasoningTokens.number, used.reasoningTokens);
  whole(writer, usage.cachedInputTokens.number, used.cachedInputTokens);
  whole(writer, usage.modelCalls.number, used.modelCalls);
  writer.join();
}

function open(writer: BinaryWriter, field: number): void {
  writer.tag(field, WireType.LengthDelimited).fork();
}

function text(writer: BinaryWriter, field: number, value: string): void {
  if (value !== "") writer.tag(field, WireType.LengthDelimited).string(value);
}

function whole(writer: BinaryWriter, field: number, value: number): void {
  if (value !== 0) writer.tag(field, WireType.Varint).int64(value);
}
