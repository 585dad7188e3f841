import type { Message, Part, ToolCallPart } from "../../message/message.ts";

/** What the model is told of a call that has no result: nothing is left open, or the next model call would be refused. */
const NO_RESULT = "This call has no result: the engine was stopped before it ended. It may have had an effect.";

/**
 * The conversation as a model may be sent it: whole messages only, each call of a message followed by exactly one result,
 * no result without its call. What is missing is filled in, what belongs to nothing is left out.
 */
export function toTranscript(messages: readonly Message[]): Message[] {
  const whole = messages.filter((message) => message.status === "complete" && message.parts.length > 0);
  const results = new Map<string, Message>();
  for (const message of whole) {
    const [part] = message.parts;
    if (message.role === "tool" && part?.kind === "tool_result") results.set(part.callId, message);
  }
  return whole.flatMap((message) => {
    if (message.role === "tool") return [];
    return [message, ...callsOf(message).map((call) => results.get(call.callId) ?? missingResult(message, call))];
  });
}

export function callsOf(message: { readonly parts: readonly Part[] }): ToolCallPart[] {
  return message.parts.filter((part) => part.kind === "tool_call");
}

/** The id of what the model is told of a call without a result: there is no such message in the store. */
export function missingResultId(messageId: string, callId: string): string {
  return `${messageId}:${callId}`;
}

function missingResult(message: Message, call: ToolCallPart): Message {
  return {
    ...message,
    id: missingResultId(message.id, call.callId),
    role: "tool",
    model: "",
    usage: undefined,
    parts: [{ kind: "tool_result", callId: call.callId, outcome: "unknown", text: NO_RESULT }],
  };
}
