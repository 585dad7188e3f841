import type { FileChanged } from "../change/file-change.ts";
import type { Image, JsonObject, Message, Role, ToolOutcome } from "../message/message.ts";
import type { Request } from "../request/request.ts";
import type { Session } from "../session/session.ts";
import type { TodoItem } from "../todo/todo.ts";
import type { QueuedMessage } from "../turn/queue/queued-message.ts";
import type { Turn, TurnEndReason, TurnError } from "../turn/turn.ts";
import type { Usage } from "../usage/usage.ts";

/** A fact of a session's log. Text that is still being made is a `Delta`, not one of these. */
export type EventPayload =
  | { readonly kind: "turn_started"; readonly turn: Turn }
  | {
      readonly kind: "turn_ended";
      readonly reason: TurnEndReason;
      readonly usage: Usage;
      readonly error: TurnError | undefined;
    }
  | { readonly kind: "step_started"; readonly step: number; readonly model: string }
  | { readonly kind: "message_started"; readonly messageId: string; readonly role: Role; readonly model: string }
  | { readonly kind: "message_completed"; readonly message: Message }
  | {
      readonly kind: "tool_call_requested";
      readonly callId: string;
      readonly name: string;
      readonly arguments: JsonObject;
      readonly messageId: string;
    }
  | {
      readonly kind: "tool_call_started";
      readonly callId: string;
      readonly name: string;
      readonly arguments: JsonObject;
    }
  | {
      readonly kind: "tool_call_ended";
      readonly callId: string;
      readonly outcome: ToolOutcome;
      readonly text: string;
      readonly images?: readonly Image[];
      readonly blob?: string;
      readonly messageId: string;
    }
  | { readonly kind: "request_opened"; readonly request: Request }
  | { readonly kind: "request_resolved"; readonly request: Request }
  | {
      readonly kind: "usage_reported";
      readonly messageId: string;
      readonly usage: Usage;
      readonly turnUsage: Usage;
    }
  | {
      readonly kind: "retry_scheduled";
      readonly attempt: number;
      readonly maxAttempts: number;
      readonly delayMs: number;
      readonly error: TurnError;
    }
  | { readonly kind: "model_changed"; readonly profile: string; readonly model: string }
  /** Messages that joined the queue or changed in it, and those that left it. */
  | {
      readonly kind: "queue_changed";
      readonly queued: readonly QueuedMessage[];
      readonly removedIds: readonly string[];
    }
  /** A message was edited: this is what it is now. */
  | { readonly kind: "message_updated"; readonly message: Message }
  /**
   * This message and all after it are gone, with the events that told of them; empty = all messages. `lastMessageId` is the
   * last one that is left; empty = none.
   */
  | { readonly kind: "history_cleared"; readonly firstMessageId: string; readonly lastMessageId: string }
  /** A call changed a file. */
  | ({ readonly kind: "file_changed" } & FileChanged)
  /** What a turn did to files was taken back. */
  | { readonly kind: "files_reverted"; readonly turnId: string; readonly paths: readonly string[] }
  /** What the session's agent means to do is this from now on; empty = nothing. */
  | { readonly kind: "todo_changed"; readonly items: readonly TodoItem[] }
  | { readonly kind: "session_changed"; readonly session: Session }
  | { readonly kind: "warning"; readonly reason: string; readonly message: string };

/** Turns a fact into the bytes that are stored; passed in, so that the log knows no wire format. */
export type EncodePayload = (payload: EventPayload) => Uint8Array;

export type DeltaKind = "text" | "reasoning";

/** Text added to a message that is still being made. */
export interface MessageDelta {
  readonly kind: DeltaKind;
  readonly messageId: string;
  readonly text: string;
}

export type OutputKind = "stdout" | "stderr";

/** What a call that runs has printed. */
export interface OutputDelta {
  readonly kind: OutputKind;
  readonly callId: string;
  readonly text: string;
}

export type Delta = MessageDelta | OutputDelta;

/** What a delta is added to: once that is whole, its deltas are needed no more. */
export function targetOf(delta: Delta): string {
  return "callId" in delta ? delta.callId : delta.messageId;
}

interface Entry {
  readonly seq: number;
  readonly createTimeMs: number;
  readonly turnId: string;
}

/** A fact as the log holds it. */
export interface LoggedEvent extends Entry {
  /** The name of the token that caused it; empty = the engine. */
  readonly actor: string;
  readonly payload: Uint8Array;
}

/** A delta as the log holds it: what one commit held of one part of one message, or of one stream of one call. */
export interface LoggedDelta extends Entry {
  readonly delta: Delta;
}

export type LogEntry = LoggedEvent | LoggedDelta;
