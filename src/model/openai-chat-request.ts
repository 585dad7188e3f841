import type OpenAI from "openai";
import type { Message, Part, ToolCallPart } from "../message/message.ts";
import type { ModelRequest } from "./model.ts";

type ChatMessage = OpenAI.ChatCompletionMessageParam;

/** A model request as Chat Completions wants it, streamed and with the usage at its end. */
export function toChatRequest(request: ModelRequest): OpenAI.ChatCompletionCreateParamsStreaming {
  return {
    model: request.model,
    messages: toChatMessages(request),
    stream: true,
    stream_options: { include_usage: true },
    // An empty list is refused by some servers.
    ...(request.tools.length > 0 && {
      tools: request.tools.map(({ name, description, parameters }) => ({
        type: "function",
        function: { name, description, parameters: { ...parameters } },
      })),
    }),
  };
}

function toChatMessages({ systemPrompt, messages }: ModelRequest): ChatMessage[] {
  const sent: ChatMessage[] = systemPrompt === "" ? [] : [{ role: "system", content: systemPrompt }];
  // A result names its call by our id; the provider knows only its own.
  const providerIds = new Map<string, string>();
  for (const message of messages) {
    for (const part of message.parts) {
      if (part.kind === "tool_call") providerIds.set(part.callId, part.providerCallId);
    }
    sent.push(...toChat(message, providerIds));
  }
  return sent;
}

function toChat(message: Message, providerIds: ReadonlyMap<string, string>): ChatMessage[] {
  switch (message.role) {
    case "system":
      return [{ role: "system", content: textOf(message.parts) }];
    case "user":
      return [{ role: "user", content: textOf(message.parts) }];
    case "assistant":
      return toAssistant(message.parts);
    case "tool":
      return message.parts.flatMap((part): ChatMessage[] =>
        part.kind === "tool_result"
          ? [{ role: "tool", tool_call_id: providerIds.get(part.callId) ?? part.callId, content: part.text }]
          : [],
      );
  }
}

/** Reasoning is not sent back: this protocol has no place for it, and servers that know one refuse or ignore it. */
function toAssistant(parts: readonly Part[]): ChatMessage[] {
  const text = textOf(parts);
  const calls = parts.filter((part) => part.kind === "tool_call");
  if (text === "" && calls.length === 0) return [];
  return [
    {
      role: "assistant",
      ...(text !== "" && { content: text }),
      ...(calls.length > 0 && { tool_calls: calls.map(toChatCall) }),
    },
  ];
}

/** Always valid JSON, also where the model sent something else: some servers parse it and fail the whole call. */
function toChatCall(part: ToolCallPart): OpenAI.ChatCompletionMessageFunctionToolCall {
  return {
    id: part.providerCallId,
    type: "function",
    function: { name: part.name, arguments: JSON.stringify(part.arguments) },
  };
}

function textOf(parts: readonly Part[]): string {
  return parts
    .filter((part) => part.kind === "text")
    .map((part) => part.text)
    .join("");
}
