import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import {
  ContextInstructionsSchema,
  ContextMessageSchema,
  ContextToolSchema,
  InstructionSource,
  type ContextInstructions,
  type ContextMessage,
  type ContextTool,
  type SessionService,
} from "../../gen/ts/parley/v1/session_service_pb.ts";
import type { JsonObject } from "../message/message.ts";
import type { ModelMessage } from "../model/model.ts";
import type { OfferedTool } from "../tool/tool.ts";
import { estimateMessage, estimateTokens, estimateTool } from "../turn/context/estimate-tokens.ts";
import { lookAtContext, type LookDeps } from "../turn/context/look-at-context.ts";
import type { Instruction, InstructionSource as Source } from "../turn/context/model-context.ts";
import { roleToProto, structOf } from "./message-proto.ts";
import { readPage } from "./page.ts";

const SOURCES: Readonly<Record<Source, InstructionSource>> = {
  engine: InstructionSource.ENGINE,
  agent: InstructionSource.AGENT,
  session: InstructionSource.SESSION,
  workspace: InstructionSource.WORKSPACE,
};

/** What shows what the model is told. */
export function createContextMethods(deps: LookDeps): Pick<ServiceImpl<typeof SessionService>, "getContext"> {
  return {
    getContext: async (request) => {
      const look = await lookAtContext(deps, request.sessionId);
      const list = {
        scope: { method: "GetContext", args: [request.sessionId] },
        defaultSize: 100,
        maxSize: 1000,
        read: async (after: MessagePlace | undefined, limit: number) => messagesBefore(look.messages, after, limit),
        placeOf: (message: ModelMessage): MessagePlace => [message.id, look.messages.indexOf(message)],
      };
      const { items, nextPageToken } = await readPage<ModelMessage, MessagePlace>(list, request);
      return {
        instructions: look.instructions.map(instructionToProto),
        tools: look.tools.map(toolToProto),
        messages: items.map(messageToProto).toReversed(),
        nextPageToken,
        messageCount: look.messages.length,
        estimatedTokens: BigInt(look.estimatedTokens),
        profile: look.profile,
        model: look.model,
      };
    },
  };
}

/** A message, and how many stand before it, which counts where it is gone by now. */
type MessagePlace = readonly [id: string, index: number];

/** The newest first. */
function messagesBefore(
  messages: readonly ModelMessage[],
  place: MessagePlace | undefined,
  limit: number,
): readonly ModelMessage[] {
  const known = place === undefined ? messages.length : messages.findIndex(({ id }) => id === place[0]);
  const end = known === -1 ? Math.min(place?.[1] ?? 0, messages.length) : known;
  return messages.slice(Math.max(0, end - limit), end).toReversed();
}

function instructionToProto({ source, origin, text }: Instruction): ContextInstructions {
  const estimatedTokens = BigInt(estimateTokens(text));
  return create(ContextInstructionsSchema, { source: SOURCES[source], origin, text, estimatedTokens });
}

function toolToProto(tool: OfferedTool): ContextTool {
  const { name, description, parameters, origin = "engine" } = tool;
  return create(ContextToolSchema, {
    name,
    description,
    parameters: structOf(parameters as JsonObject),
    origin,
    estimatedTokens: BigInt(estimateTool(tool)),
  });
}

function messageToProto(message: ModelMessage): ContextMessage {
  const { id, role } = message;
  const estimatedTokens = BigInt(estimateMessage(message));
  return create(ContextMessageSchema, { messageId: id, role: roleToProto(role), estimatedTokens });
}
