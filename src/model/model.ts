import type { FilePart, Image, ImagePart, Message, Part, ToolResultPart } from "../message/message.ts";
import type { Usage } from "../usage/usage.ts";

/** A tool as a model is told of it. `parameters` is a JSON Schema of type object. */
export interface ModelTool {
  readonly name: string;
  readonly description: string;
  readonly parameters: Readonly<Record<string, unknown>>;
}

/** A picture as a model is shown it. */
export interface ModelImage extends Image {
  /** Read anew each time it is asked for; nothing holds it. */
  bytes(): Promise<Uint8Array>;
}

export type ModelPart =
  | Exclude<Part, FilePart | ImagePart | ToolResultPart>
  /** What an attached file says, or a word about it. */
  | { readonly kind: "text"; readonly text: string; readonly isAttached?: true }
  | (ImagePart & ModelImage)
  | (Omit<ToolResultPart, "images"> & { readonly images?: readonly ModelImage[] });

/** A message as a model is told it: what files say is text by now, and pictures can be read. */
export type ModelMessage = Omit<Message, "parts"> & { readonly parts: readonly ModelPart[] };

/** Everything a model call depends on. `messages` holds complete messages only, every tool call followed by its result. */
export interface ModelRequest {
  readonly model: string;
  /** Empty = none. */
  readonly systemPrompt: string;
  readonly messages: readonly ModelMessage[];
  readonly tools: readonly ModelTool[];
}

export type StopReason = "end" | "tool_calls" | "length" | "filtered";

/** What a model says, piece by piece. A stream ends with `stop`; one that ends without it broke off. */
export type ModelEvent =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "reasoning"; readonly text: string }
  /** A call the model asks for, whole. `argumentsJson` is the text as the model sent it, valid or not. */
  | {
      readonly kind: "tool_call";
      readonly providerCallId: string;
      readonly name: string;
      readonly argumentsJson: string;
    }
  /** May come more than once; the last one counts. `modelCalls` is 1. */
  | { readonly kind: "usage"; readonly usage: Usage }
  /** `retry.ts` tells of a failed try that it will repeat; adapters never send it. */
  | {
      readonly kind: "retry";
      readonly attempt: number;
      readonly maxAttempts: number;
      readonly delayMs: number;
      readonly error: ModelError;
    }
  | { readonly kind: "stop"; readonly reason: StopReason };

/**
 * A sign of life that is no piece of the answer: the provider works on something that is not told yet, such as the
 * arguments of a call. Without it a long file being written would count as silence. `callModel` passes none on.
 */
export interface ModelPulse {
  readonly kind: "pulse";
}

/** A provider that answers. One client belongs to one resolved configuration and never changes. */
export interface Model {
  /**
   * Makes one model call. Throws `ModelError` for whatever the provider does wrong, and `signal.reason` when aborted.
   * Pieces of text never end in the first half of a surrogate pair.
   */
  stream(request: ModelRequest, signal: AbortSignal): AsyncIterable<ModelEvent | ModelPulse>;
  /** Frees its connections. A call that runs is aborted. */
  close(): Promise<void>;
}

/** Why a model call failed: a constant to branch on, shown to clients as `TurnError.reason`. */
export type ModelErrorReason =
  | "PROVIDER_UNAUTHORIZED"
  | "PROVIDER_REFUSED"
  | "PROVIDER_RATE_LIMITED"
  | "PROVIDER_UNREACHABLE"
  | "PROVIDER_ERROR"
  | "PROVIDER_GARBAGE"
  | "PROVIDER_STALLED"
  | "PROVIDER_BROKE_OFF"
  | "CONTEXT_EXCEEDED";

/** A failure of a model call. The message holds no secret and at most 500 characters of what the provider said. */
export class ModelError extends Error {
  override readonly name = "ModelError";
  readonly reason: ModelErrorReason;
  /** Whether the same call may well succeed later. */
  readonly retryable: boolean;
  /** How long the provider asks to wait; undefined where it says nothing. */
  readonly retryAfterMs: number | undefined;

  constructor(
    reason: ModelErrorReason,
    message: string,
    options: { retryable: boolean; retryAfterMs?: number | undefined; cause?: unknown },
  ) {
    super(message, { cause: options.cause });
    this.reason = reason;
    this.retryable = options.retryable;
    this.retryAfterMs = options.retryAfterMs;
  }
}
