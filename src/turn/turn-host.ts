import type { StopCause } from "./turn-stop.ts";
import type { RunNewTurn, WakeTurn } from "./turn-waker.ts";

/** What the loop of a turn may ask of who runs them all. */
export interface TurnHost {
  /** Says that the store has something new for a turn: one that runs here looks, one that rests goes on. */
  readonly wake: WakeTurn;
  readonly runNew: RunNewTurn;
  /** Aborts what a turn is doing. False where it is not running here. */
  stop(turnId: string, cause: StopCause): boolean;
  /** Resolves when a turn is no longer running here. */
  whenDone(turnId: string): Promise<void>;
  /** Aborted when the engine waits no longer for the ends of turns. */
  readonly signal: AbortSignal;
}
