import { type Clock, systemClock } from "../../clock.ts";

/** So much may come at once after a time of silence, in the time that it would take at the pace. */
const BURST_MS = 500;

/** Holds up who takes things faster than a pace. */
export interface Pace {
  /** Resolves when more may be taken after this much. */
  took(amount: number): Promise<void>;
}

export function createPace(perSecond: number, clock: Clock = systemClock): Pace {
  // When all that was taken would have been at the pace.
  let dueMs = -Infinity;
  return {
    async took(amount) {
      const nowMs = clock.monotonic();
      dueMs = Math.max(dueMs, nowMs - BURST_MS) + (amount * 1000) / perSecond;
      const waitMs = dueMs - nowMs;
      if (waitMs > 0) await new Promise<void>((resolve) => clock.after(waitMs, resolve));
    },
  };
}
