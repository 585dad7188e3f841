import type { Role } from "../../src/message/message.ts";
import type { ModelMessage, ModelPart, ModelRequest } from "../../src/model/model.ts";

let count = 0;

export function messageOf(role: Role, ...parts: readonly (ModelPart | string)[]): ModelMessage {
  return {
    id: `msg_${++count}`,
    sessionId: "ses_1",
    turnId: "turn_1",
    role,
    status: "complete",
    parts: parts.map((part) => (typeof part === "string" ? { kind: "text", text: part } : part)),
    model: role === "assistant" ? "m" : "",
    usage: undefined,
    createTimeMs: 0,
  };
}

/** A request whose only message is this, unless told otherwise. */
export function requestOf(text: string, more: Partial<ModelRequest> = {}): ModelRequest {
  return { model: "m", systemPrompt: "", messages: [messageOf("user", text)], tools: [], ...more };
}

export const NOW_TOOL = { name: "now", description: "the time", parameters: { type: "object", properties: {} } };
