import type { Usage } from "../usage/usage.ts";

export type Role = "system" | "user" | "assistant" | "tool";

/** `streaming` is a message that is still being made; it is stored so that a restart finds it, and never listed. */
export type MessageStatus = "streaming" | "complete" | "cancelled" | "failed" | "interrupted";

/** A JSON object, as tool arguments are. */
export type JsonObject = { readonly [key: string]: JsonValue };
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;

/** How a tool call ended. */
export type ToolOutcome = "succeeded" | "failed" | "cancelled" | "unknown" | "denied";

export interface ToolCallPart {
  readonly kind: "tool_call";
  readonly callId: string;
  /** The id the provider gave the call; what the provider is told when the conversation is sent again. */
  readonly providerCallId: string;
  readonly name: string;
  readonly arguments: JsonObject;
  /** What the model sent as arguments where that was not a JSON object; such a call is not run. */
  readonly invalidArguments?: string;
}

/** Bytes that are kept as a blob, and what they are. The blob may be missing: an import brings the name of it alone. */
export interface Attachment {
  /** SHA-256 in lower-case hex. */
  readonly sha256: string;
  readonly mediaType: string;
  readonly sizeBytes: number;
}

/** A picture; its media type is what its bytes are. */
export type Image = Attachment;

export interface ImagePart extends Image {
  readonly kind: "image";
}

export interface FilePart extends Attachment {
  readonly kind: "file";
  /** Without folders. */
  readonly name: string;
}

export interface ToolResultPart {
  readonly kind: "tool_result";
  readonly callId: string;
  readonly outcome: ToolOutcome;
  /** What the model is told. */
  readonly text: string;
  /** What it is shown besides; absent = nothing. */
  readonly images?: readonly Image[];
  /** The blob of all of it, where `text` is its head and tail; absent = nothing was cut. */
  readonly blob?: string;
}

export type Part =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "reasoning"; readonly text: string }
  | ImagePart
  | FilePart
  | ToolCallPart
  | ToolResultPart;

export interface Message {
  readonly id: string;
  readonly sessionId: string;
  readonly turnId: string;
  readonly role: Role;
  readonly status: MessageStatus;
  readonly parts: readonly Part[];
  /** The model that made it; empty but for an assistant's. */
  readonly model: string;
  /** What its model call consumed; undefined but for an assistant's. */
  readonly usage: Usage | undefined;
  readonly createTimeMs: number;
}

/** All parts of one message together, so that a message with its envelope fits a gRPC message of 4 MB many times over. */
export const MAX_MESSAGE_BYTES = 1024 * 1024;
