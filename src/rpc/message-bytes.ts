import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { EventSchema, MessageCompletedSchema } from "../../gen/ts/parley/v1/event_pb.ts";
import { MessageSchema, PartSchema, ReasoningSchema, ToolResultSchema } from "../../gen/ts/parley/v1/message_pb.ts";
import { UsageSchema } from "../../gen/ts/parley/v1/usage_pb.ts";
import type { Message, Part } from "../message/message.ts";
import type { Usage } from "../usage/usage.ts";
import { outcomeToProto, roleToProto, statusToProto } from "./message-proto.ts";
import { openField, writeText, writeTime, writeWhole } from "./wire-fields.ts";

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
  openField(writer, EventSchema.field.messageCompleted.number);
  openField(writer, MessageCompletedSchema.field.message.number);
  writeText(writer, message.id.number, said.id);
  writeText(writer, message.sessionId.number, said.sessionId);
  writeText(writer, message.turnId.number, said.turnId);
  writeWhole(writer, message.role.number, roleToProto(said.role));
  writeWhole(writer, message.status.number, statusToProto(said.status));
  for (const one of said.parts) writePart(writer, one);
  writeText(writer, message.model.number, said.model);
  if (said.usage !== undefined) writeUsage(writer, said.usage);
  writeTime(writer, message.createTime.number, said.createTimeMs);
  return writer.join().join().finish();
}

function isWritten(one: Part): boolean {
  return WRITTEN.has(one.kind) && !("images" in one || "blob" in one);
}

function writePart(writer: BinaryWriter, one: Part): void {
  openField(writer, message.parts.number);
  if (one.kind === "text") {
    // Of a oneof: an empty text is set too.
    writer.tag(part.text.number, WireType.LengthDelimited).string(one.text);
  } else if (one.kind === "reasoning") {
    openField(writer, part.reasoning.number);
    writeText(writer, ReasoningSchema.field.text.number, one.text);
    writer.join();
  } else if (one.kind === "tool_result") {
    openField(writer, part.toolResult.number);
    writeText(writer, result.callId.number, one.callId);
    writeWhole(writer, result.state.number, outcomeToProto(one.outcome));
    writeText(writer, result.text.number, one.text);
    writer.join();
  }
  writer.join();
}

function writeUsage(writer: BinaryWriter, used: Usage): void {
  openField(writer, message.usage.number);
  writeWhole(writer, usage.inputTokens.number, used.inputTokens);
  writeWhole(writer, usage.outputTokens.number, used.outputTokens);
  writeWhole(writer, usage.reasoningTokens.number, used.reasoningTokens);
  writeWhole(writer, usage.cachedInputTokens.number, used.cachedInputTokens);
  writeWhole(writer, usage.modelCalls.number, used.modelCalls);
  writer.join();
}
