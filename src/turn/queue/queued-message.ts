import type { Part } from "../../message/message.ts";

/** A steer is for the running turn, a follow-up is a turn of its own. */
export type QueuedKind = "steer" | "follow_up";

/** How a steer is put to the model. */
export type Framing = "plain" | "instruction" | "replacement";

/** A message that waits. */
export interface QueuedMessage {
  readonly id: string;
  readonly sessionId: string;
  readonly kind: QueuedKind;
  readonly framing: Framing;
  readonly parts: readonly Part[];
  /** The name of the token that sent it. */
  readonly actor: string;
  readonly createTimeMs: number;
}
