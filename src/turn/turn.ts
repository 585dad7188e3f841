import type { Usage } from "../usage/usage.ts";

export type TurnState = "running" | "waiting" | "cancelling" | "ended";

export type TurnEndReason = "completed" | "cancelled" | "failed" | "limit_reached" | "interrupted";

/** Why a turn did not complete. `reason` is the constant that clients branch on. */
export interface TurnError {
  readonly reason: string;
  readonly message: string;
  readonly retryable: boolean;
}

/** How a turn ends. */
export interface TurnEnd {
  readonly reason: TurnEndReason;
  readonly error?: TurnError;
}

/** One run of the agent, from a user message until it stops. */
export interface Turn {
  readonly id: string;
  readonly sessionId: string;
  readonly state: TurnState;
  /** Undefined while it has not ended. */
  readonly endReason: TurnEndReason | undefined;
  readonly error: TurnError | undefined;
  /** The model in force when it was started. */
  readonly model: string;
  /** How many steps it has begun. */
  readonly steps: number;
  readonly usage: Usage;
  /** The number of its `turn_started` event. */
  readonly firstSeq: number;
  readonly createTimeMs: number;
  readonly endTimeMs: number | undefined;
}

/** What a turn may use. */
export interface Limits {
  readonly maxSteps: number;
  /** Input and output tokens together; 0 = no limit. */
  readonly maxTokens: number;
  readonly maxWorkingTimeMs: number;
  /** Silence of the model between two pieces of its answer. */
  readonly maxSilenceMs: number;
  /** Silence of the model before the first piece. */
  readonly maxSilenceBeforeFirstMs: number;
}

export const DEFAULT_LIMITS: Limits = {
  maxSteps: 50,
  maxTokens: 0,
  maxWorkingTimeMs: 30 * 60_000,
  maxSilenceMs: 120_000,
  maxSilenceBeforeFirstMs: 300_000,
};
