import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type GetSnapshotResponseSchema,
  OpenToolCallSchema,
  type OpenToolCall,
  PartialMessageSchema,
  type PartialMessage as PartialMessageProto,
} from "../../gen/ts/parley/v1/session_service_pb.ts";
import type { Profiles } from "../profile/profile.ts";
import type { OpenCall, PartialMessage, Snapshot } from "../session/snapshot.ts";
import { messagePages } from "./message-page.ts";
import { messageToProto, roleToProto, structOf } from "./message-proto.ts";
import { toPageToken } from "./page.ts";
import { queuedToProto } from "./queue-proto.ts";
import { requestToProto } from "./request-proto.ts";
import { sessionToProto } from "./session-proto.ts";
import { todoToProto } from "./todo-proto.ts";
import { turnToProto } from "./turn-proto.ts";

export function snapshotToProto(
  snapshot: Snapshot,
  { profiles, logEpoch }: { readonly profiles: Profiles; readonly logEpoch: string },
): MessageInitShape<typeof GetSnapshotResponseSchema> {
  const { session, messages, hasOlder, partial, runningTurn } = snapshot;
  const [oldest] = messages;
  return {
    session: sessionToProto(session, profiles),
    messages: messages.map(messageToProto),
    nextPageToken: hasOlder && oldest !== undefined ? toPageToken(messagePages(session.id), oldest.seq) : "",
    ...(partial !== undefined && { partialMessage: partialToProto(partial) }),
    toolCalls: snapshot.openCalls.map(openCallToProto),
    ...(runningTurn !== undefined && { runningTurn: turnToProto(runningTurn) }),
    queue: snapshot.queue.map(queuedToProto),
    requests: snapshot.requests.map(requestToProto),
    todos: snapshot.todos.map(todoToProto),
    lastSeq: BigInt(snapshot.lastSeq),
    logEpoch,
  };
}

function partialToProto({ message, text, reasoning }: PartialMessage): PartialMessageProto {
  return create(PartialMessageSchema, {
    messageId: message.id,
    turnId: message.turnId,
    role: roleToProto(message.role),
    model: message.model,
    text,
    reasoning,
    createTime: timestampFromMs(message.createTimeMs),
  });
}

function openCallToProto({ id, name, arguments: args, messageId, state, stdout, stderr }: OpenCall): OpenToolCall {
  return create(OpenToolCallSchema, {
    callId: id,
    name,
    arguments: structOf(args),
    messageId,
    started: state === "started",
    stdout,
    stderr,
  });
}
