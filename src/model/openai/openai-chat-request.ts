import type OpenAI from "openai";
import type { ToolCallPart } from "../../message/message.ts";
import type { ModelImage, ModelMessage, ModelPart, ModelRequest } from "../model.ts";

type ChatMessage = OpenAI.ChatCompletionMessageParam;
type ChatPart = OpenAI.ChatCompletionContentPart;
type ChatRequest = OpenAI.ChatCompletionCreateParamsStreaming;

/** A model request as Chat Completions wants it, streamed and with the usage at its end. Throws what reading a picture throws. */
export async function toChatRequest(request: ModelRequest): Promise<ChatRequest> {
  return {
    model: request.model,
    messages: await toChatMessages(request),
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

async function toChatMessages({ systemPrompt, messages }: ModelRequest): Promise<ChatMessage[]> {
  const sent: ChatMessage[] = systemPrompt === "" ? [] : [{ role: "system", content: systemPrompt }];
  // A result names its call by our id; the provider knows only its own.
  const providerIds = new Map<string, string>();
  let shown: ChatPart[] = [];
  for (const message of messages) {
    for (const part of message.parts) {
      if (part.kind === "tool_call") providerIds.set(part.callId, part.providerCallId);
    }
    // Results take no pictures, and nothing may stand between the results of one answer.
    if (message.role !== "tool") sent.push(...sayShown(shown.splice(0)));
    sent.push(...(await toChat(message, providerIds)));
    for (const part of message.parts) if (part.kind === "tool_result") shown = [...shown, ...(await toShown(part))];
  }
  return [...sent, ...sayShown(shown)];
}

async function toChat(message: ModelMessage, providerIds: ReadonlyMap<string, string>): Promise<ChatMessage[]> {
  switch (message.role) {
    case "system":
      return [{ role: "system", content: textOf(message.parts) }];
    case "user":
      return [{ role: "user", content: await toContent(message.parts) }];
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

/** Text alone is sent as text: servers that know no pictures may know no list of parts either. */
async function toContent(parts: readonly ModelPart[]): Promise<string | ChatPart[]> {
  if (!parts.some(({ kind }) => kind === "image")) return textOf(parts);
  const content: ChatPart[] = [];
  for (const part of parts) {
    if (part.kind === "text") content.push({ type: "text", text: part.text });
    if (part.kind === "image") content.push(await toImage(part));
  }
  return content;
}

async function toImage(image: ModelImage): Promise<ChatPart> {
  const base64 = Buffer.from(await image.bytes()).toString("base64");
  return { type: "image_url", image_url: { url: `data:${image.mediaType};base64,${base64}` } };
}

/** The pictures of a result, after the text that it is known by. */
async function toShown({ text, images = [] }: Extract<ModelPart, { kind: "tool_result" }>): Promise<ChatPart[]> {
  if (images.length === 0) return [];
  const content: ChatPart[] = [
    { type: "text", text: `[Shown by a tool whose result begins: ${text.slice(0, 200).toWellFormed()}]` },
  ];
  for (const image of images) content.push(await toImage(image));
  return content;
}

function sayShown(content: ChatPart[]): ChatMessage[] {
  return content.length === 0 ? [] : [{ role: "user", content }];
}

/** Reasoning is not sent back: this protocol has no place for it, and servers that know one refuse or ignore it. */
function toAssistant(parts: readonly ModelPart[]): ChatMessage[] {
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

function textOf(parts: readonly ModelPart[]): string {
  return parts
    .filter((part) => part.kind === "text")
    .map((part) => part.text)
    .join("");
}
