import type { StoredSession } from "../session/session-store.ts";
import type { StoredTurn } from "./turn-store.ts";

/** Lets a turn go on that waited for others. */
export type WakeTurn = (turn: Pick<StoredTurn, "id" | "sessionId">) => void;

/** Runs a turn that was stored just now with its first step. Both are as they were before that step. */
export type RunNewTurn = (turn: StoredTurn, session: StoredSession) => void;

/**
 * Stands between those who end requests and those who run turns, which are built later. What is told before anybody listens
 * needs no telling: the start of the engine finds it in the store.
 */
export interface TurnWaker {
  readonly wake: WakeTurn;
  listen(wake: WakeTurn): void;
}

export function createTurnWaker(): TurnWaker {
  let tell: WakeTurn | undefined;
  return {
    wake: (turn) => tell?.(turn),
    listen(wake) {
      tell = wake;
    },
  };
}
