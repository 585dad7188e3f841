import { randomUUID } from "node:crypto";
import { MAX_MESSAGE_BYTES } from "../../message/message.ts";
import type { Usage } from "../../usage/usage.ts";
import { ModelError, type StopReason } from "../model.ts";
import type { PieceQueue } from "./piece-queue.ts";

/** One chunk of a stream as it may come: compatible servers leave out, add and null what they like. */
interface Chunk {
  readonly choices?: readonly (Choice | null)[] | null;
  readonly usage?: ChunkUsage | null;
}
interface Choice {
  readonly delta?: Delta | null;
  readonly finish_reason?: string | null;
}
interface Delta {
  readonly content?: string | null;
  readonly refusal?: string | null;
  /** Not OpenAI's: DeepSeek, vLLM and others call it so, OpenRouter and Ollama say `reasoning`. */
  readonly reasoning_content?: string | null;
  readonly reasoning?: string | null;
  readonly tool_calls?: readonly CallDelta[] | null;
}
interface CallDelta {
  readonly index?: number | null;
  readonly id?: string | null;
  readonly function?: { readonly name?: string | null; readonly arguments?: string | null } | null;
}
interface ChunkUsage {
  readonly prompt_tokens?: number | null;
  readonly completion_tokens?: number | null;
  readonly prompt_tokens_details?: { readonly cached_tokens?: number | null } | null;
  readonly completion_tokens_details?: { readonly reasoning_tokens?: number | null } | null;
}

interface OpenCall {
  readonly index: number | undefined;
  id: string;
  name: string;
  argumentsJson: string;
}

/** Turns the chunks of one answer into pieces. */
export interface ChunkReader {
  take(chunk: unknown): void;
  /** Whether the model said that it is done; only the usage can follow. */
  readonly isFinished: boolean;
  /** Sends what is sent last: calls, usage, stop. */
  finish(): void;
}

export function createChunkReader(queue: PieceQueue): ChunkReader {
  const calls: OpenCall[] = [];
  let callChars = 0;
  let finishReason: string | undefined;
  let usage: Usage | undefined;

  function takeDelta(delta: Delta): void {
    // Text first: it is nearly every chunk.
    if (isText(delta.content)) queue.text("text", delta.content);
    const reasoning = delta.reasoning_content ?? delta.reasoning;
    if (isText(reasoning)) queue.text("reasoning", reasoning);
    if (isText(delta.refusal)) queue.text("text", delta.refusal);
    for (const call of delta.tool_calls ?? []) takeCall(call);
  }

  function takeCall(delta: CallDelta): void {
    const { name, arguments: json } = delta.function ?? {};
    let call = findCall(calls, delta);
    if (call === undefined) {
      call = { index: delta.index ?? undefined, id: delta.id ?? "", name: "", argumentsJson: "" };
      calls.push(call);
    }
    if (isText(name)) call.name = name;
    if (!isText(json)) return;
    call.argumentsJson += json;
    callChars += json.length;
    // Text is bounded by who reads it; calls are kept here until they are whole.
    if (callChars > MAX_MESSAGE_BYTES) {
      throw new ModelError("PROVIDER_GARBAGE", "the model's tool calls are larger than 1 MiB", { retryable: false });
    }
  }

  return {
    take(chunk) {
      if (typeof chunk !== "object" || chunk === null) throw notAChunk();
      const { choices, usage: counted } = chunk as Chunk;
      queue.pulse();
      if (typeof counted === "object" && counted !== null) usage = toUsage(counted);
      const choice = choices?.[0];
      if (choice === undefined) return;
      if (choice === null) throw notAChunk();
      if (choice.delta) takeDelta(choice.delta);
      if (typeof choice.finish_reason === "string") finishReason = choice.finish_reason;
    },
    get isFinished() {
      return finishReason !== undefined;
    },
    finish() {
      const reason = toStopReason(finishReason, calls.length > 0);
      // A call that the limit cut through is not what the model wanted to ask for.
      for (const { id, name, argumentsJson } of reason === "tool_calls" ? calls : []) {
        queue.push({ kind: "tool_call", providerCallId: id === "" ? `call_${randomUUID()}` : id, name, argumentsJson });
      }
      if (usage !== undefined) queue.push({ kind: "usage", usage });
      queue.push({ kind: "stop", reason });
    },
  };
}

/** The call a piece belongs to. Some servers give no index, some the same one to every call and only another id. */
function findCall(calls: readonly OpenCall[], { index, id }: CallDelta): OpenCall | undefined {
  const isNew = (call: OpenCall): boolean => isText(id) && call.id !== "" && call.id !== id;
  const last = typeof index === "number" ? calls.findLast((call) => call.index === index) : calls.at(-1);
  return last === undefined || isNew(last) ? undefined : last;
}

function toStopReason(finishReason: string | undefined, hasCalls: boolean): StopReason {
  if (finishReason === "length") return "length";
  if (finishReason === "content_filter") return "filtered";
  // Some servers say "stop" after calls.
  return hasCalls ? "tool_calls" : "end";
}

function toUsage(counted: ChunkUsage): Usage {
  return {
    inputTokens: counted.prompt_tokens ?? 0,
    outputTokens: counted.completion_tokens ?? 0,
    reasoningTokens: counted.completion_tokens_details?.reasoning_tokens ?? 0,
    cachedInputTokens: counted.prompt_tokens_details?.cached_tokens ?? 0,
    modelCalls: 1,
  };
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

function notAChunk(): ModelError {
  return new ModelError("PROVIDER_GARBAGE", "the provider's stream holds something that is no chunk of an answer", {
    retryable: true,
  });
}
