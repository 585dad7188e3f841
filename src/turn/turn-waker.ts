import type { StoredTurn } from "./turn-store.ts";

/** Lets a turn go on that waited for a human. */
export type WakeTurn = (turn: Pick<StoredTurn, "id" | "sessionId">) => void;

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
