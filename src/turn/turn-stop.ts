import type { MessageStatus } from "../message/message.ts";
import type { TurnEnd } from "./turn.ts";

export type StopCause = "cancelled" | "engine_stopping" | "time_exhausted" | "session_deleted";

/** Why a running turn is aborted from outside; the reason of its AbortSignal. */
export class TurnStop extends Error {
  override readonly name = "TurnStop";
  readonly stopCause: StopCause;

  constructor(stopCause: StopCause) {
    super(`turn stopped: ${stopCause}`);
    this.stopCause = stopCause;
  }
}

/** How a turn that was stopped so ends. */
export function endOfStopped(cause: StopCause): TurnEnd {
  switch (cause) {
    case "cancelled":
    case "session_deleted":
      return { reason: "cancelled" };
    case "engine_stopping":
      return {
        reason: "interrupted",
        error: { reason: "ENGINE_STOPPED", message: "the engine was stopped; retry to go on", retryable: true },
      };
    case "time_exhausted":
      return {
        reason: "limit_reached",
        error: {
          reason: "TIME_EXHAUSTED",
          message: "the turn used its working time; raise limits.max_working_time or retry to go on",
          retryable: true,
        },
      };
  }
}

/** What becomes of an answer that was being made. */
export function statusOfStopped(cause: StopCause): MessageStatus {
  return cause === "engine_stopping" ? "interrupted" : "cancelled";
}

/** A human said something that replaces what the turn is doing; its step is dropped and the turn goes on with that. */
export class StepReplaced extends Error {
  override readonly name = "StepReplaced";

  constructor() {
    super("step replaced");
  }
}
