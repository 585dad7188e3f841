import { create, type JsonObject as ProtoJsonObject } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  ImageSchema,
  MessageSchema,
  MessageStatus,
  PartSchema,
  Role,
  ToolCallState,
  ToolResultSchema,
  type Image,
  type Message as MessageProto,
  type Part as PartProto,
  type ToolResult,
} from "../../gen/ts/parley/v1/message_pb.ts";
import { invalidField } from "../errors.ts";
import type * as domain from "../message/message.ts";
import type { SaidPart } from "../message/said-part.ts";
import { usageToProto } from "./usage-proto.ts";

const ROLES: Readonly<Record<domain.Role, Role>> = {
  system: Role.SYSTEM,
  user: Role.USER,
  assistant: Role.ASSISTANT,
  tool: Role.TOOL,
};

const OUTCOMES: Readonly<Record<domain.ToolOutcome, ToolCallState>> = {
  succeeded: ToolCallState.SUCCEEDED,
  failed: ToolCallState.FAILED,
  cancelled: ToolCallState.CANCELLED,
  unknown: ToolCallState.UNKNOWN,
  denied: ToolCallState.DENIED,
};

/** Who may say what is added by a call; the proto's rules let nobody else through. */
export function authorFromProto(role: Role): Exclude<domain.Role, "tool"> {
  if (role === Role.SYSTEM) return "system";
  return role === Role.ASSISTANT ? "assistant" : "user";
}

/** A message that is being made is never shown as a message; were it, it would have no status. */
const STATUSES: Readonly<Record<domain.MessageStatus, MessageStatus>> = {
  streaming: MessageStatus.UNSPECIFIED,
  complete: MessageStatus.COMPLETE,
  cancelled: MessageStatus.CANCELLED,
  failed: MessageStatus.FAILED,
  interrupted: MessageStatus.INTERRUPTED,
};

export function roleToProto(role: domain.Role): Role {
  return ROLES[role];
}

export function statusToProto(status: domain.MessageStatus): MessageStatus {
  return STATUSES[status];
}

/** The same the other way round, for several; in an order of their own. */
export function rolesFromProto(roles: readonly Role[]): domain.Role[] {
  return (Object.keys(ROLES) as domain.Role[]).filter((role) => roles.includes(ROLES[role]));
}

export function outcomeToProto(outcome: domain.ToolOutcome): ToolCallState {
  return OUTCOMES[outcome];
}

export function messageToProto(message: domain.Message): MessageProto {
  return create(MessageSchema, {
    id: message.id,
    sessionId: message.sessionId,
    turnId: message.turnId,
    role: ROLES[message.role],
    status: STATUSES[message.status],
    parts: message.parts.map(partToProto),
    model: message.model,
    ...(message.usage !== undefined && { usage: usageToProto(message.usage) }),
    createTime: timestampFromMs(message.createTimeMs),
  });
}

export function partToProto(part: domain.Part): PartProto {
  switch (part.kind) {
    case "text":
      return create(PartSchema, { content: { case: "text", value: part.text } });
    case "reasoning":
      return create(PartSchema, { content: { case: "reasoning", value: { text: part.text } } });
    case "image":
      return create(PartSchema, { content: { case: "image", value: imageToProto(part) } });
    case "file": {
      const { sha256, mediaType, sizeBytes, name } = part;
      const value = { sha256, mediaType, sizeBytes: BigInt(sizeBytes), name };
      return create(PartSchema, { content: { case: "file", value } });
    }
    case "tool_call": {
      const { callId, name, invalidArguments = "" } = part;
      const value = { callId, name, arguments: structOf(part.arguments), invalidArguments };
      return create(PartSchema, { content: { case: "toolCall", value } });
    }
    case "tool_result":
      return create(PartSchema, { content: { case: "toolResult", value: toolResultToProto(part) } });
  }
}

function imageToProto({ sha256, mediaType, sizeBytes }: domain.Image): Image {
  return create(ImageSchema, { sha256, mediaType, sizeBytes: BigInt(sizeBytes) });
}

export function toolResultToProto(result: Omit<domain.ToolResultPart, "kind">): ToolResult {
  return create(ToolResultSchema, {
    callId: result.callId,
    state: OUTCOMES[result.outcome],
    text: result.text,
    blob: result.blob ?? "",
    images: (result.images ?? []).map(imageToProto),
  });
}

/** A JSON object as `google.protobuf.Struct` holds it. */
export function structOf(object: domain.JsonObject): ProtoJsonObject {
  return object as ProtoJsonObject;
}

/** What a caller says: text, pictures and files. Throws DomainError `INVALID_FIELD` for any other part. */
export function saidFromProto(parts: readonly PartProto[]): SaidPart[] {
  return parts.map(({ content }, i): SaidPart => {
    if (content.case === "text") return { kind: "text", text: content.value };
    if (content.case === "image") {
      const { sha256, data } = content.value;
      return { kind: "image", bytes: { sha256, data } };
    }
    if (content.case === "file") {
      const { sha256, data, mediaType, name } = content.value;
      return { kind: "file", bytes: { sha256, data }, mediaType, name };
    }
    throw invalidField(`parts[${i}]`, "only text, pictures and files can be said; set text, image or file");
  });
}
