import type { DeltaKind } from "../event/event.ts";
import { MAX_MESSAGE_BYTES, type JsonObject, type Message, type MessageStatus, type Part } from "../message/message.ts";
import { isToolArguments } from "../message/tool-arguments.ts";
import type { ModelEvent, StopReason } from "../model/model.ts";
import type { NewId } from "../id.ts";
import { NO_USAGE, type Usage } from "../usage/usage.ts";

/** A model's answer as far as it has come. */
export interface Answer {
  readonly messageId: string;
  /** Adds a piece of text; answers false where the message would grow too large, and takes as much of it as fits. */
  addText(kind: DeltaKind, text: string): { readonly taken: string; readonly isFull: boolean };
  /** The same for a call, which is taken whole or not at all. */
  addCall(event: Extract<ModelEvent, { kind: "tool_call" }>): { readonly isFull: boolean };
  /** What the provider says of its call; may come more than once. */
  setUsage(usage: Usage): void;
  /** A try failed before it said anything: it counts as a model call, too. */
  addFailedTry(): void;
  usage(): Usage;
  setStop(reason: StopReason): void;
  /** Whether the model stopped because it may not say more. */
  isCut(): boolean;
  toMessage(status: MessageStatus): Message;
}

export function createAnswer(
  newId: NewId,
  base: { readonly sessionId: string; readonly turnId: string; readonly model: string; readonly createTimeMs: number },
): Answer {
  const messageId = newId("msg");
  const parts: Part[] = [];
  let bytes = 0;
  let reported = NO_USAGE;
  let modelCalls = 1;
  let stop: StopReason | undefined;
  const usage = (): Usage => ({ ...reported, modelCalls });

  return {
    messageId,
    setUsage(said) {
      reported = said;
    },
    addFailedTry() {
      modelCalls++;
    },
    usage,
    setStop(reason) {
      stop = reason;
    },
    isCut: () => stop === "length",
    addText(kind, text) {
      const taken = fit(text, MAX_MESSAGE_BYTES - bytes);
      bytes += Buffer.byteLength(taken);
      const last = parts.at(-1);
      if (last?.kind === kind) parts[parts.length - 1] = { kind, text: last.text + taken };
      else if (taken !== "") parts.push({ kind, text: taken });
      return { taken, isFull: taken.length < text.length };
    },
    addCall({ providerCallId, name, argumentsJson }) {
      bytes += Buffer.byteLength(argumentsJson);
      if (bytes > MAX_MESSAGE_BYTES) return { isFull: true };
      const parsed = parseArguments(argumentsJson);
      parts.push({
        kind: "tool_call",
        callId: newId("call"),
        providerCallId,
        name,
        arguments: parsed ?? {},
        ...(parsed === undefined && { invalidArguments: argumentsJson }),
      });
      return { isFull: false };
    },
    toMessage(status) {
      return { id: messageId, ...base, role: "assistant", status, parts: [...parts], usage: usage() };
    },
  };
}

/** As much of a text as fits into so many bytes, never half a character. */
function fit(text: string, maxBytes: number): string {
  if (text.length * 3 <= maxBytes || Buffer.byteLength(text) <= maxBytes) return text;
  const cut = Buffer.from(text).subarray(0, Math.max(0, maxBytes)).toString();
  return cut.replace(/\uFFFD$/, "");
}

/** No text at all means no arguments: some models send that for tools without parameters. */
function parseArguments(json: string): JsonObject | undefined {
  if (json.trim() === "") return {};
  try {
    const value: unknown = JSON.parse(json);
    return isToolArguments(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
