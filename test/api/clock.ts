import { createFakeClock, type FakeClock } from "../helpers/fake-clock.ts";

/** A clock that is moved by hand, and tells when somebody begins to wait. */
export interface WatchedClock extends FakeClock {
  /** Resolves as soon as a timer of this length is set, or is set already. */
  whenSet(delayMs: number): Promise<void>;
}

export function createWatchedClock(): WatchedClock {
  const clock = createFakeClock();
  const set = new Map<number, number>();
  const waiting = new Set<{ readonly delayMs: number; readonly resolve: () => void }>();
  const count = (delayMs: number, change: number): void => void set.set(delayMs, (set.get(delayMs) ?? 0) + change);
  return {
    ...clock,
    after(delayMs, callback) {
      let isSet = true;
      const end = (): void => {
        if (isSet) count(delayMs, -1);
        isSet = false;
      };
      count(delayMs, 1);
      for (const waiter of waiting) if (waiter.delayMs === delayMs && waiting.delete(waiter)) waiter.resolve();
      const cancel = clock.after(delayMs, () => {
        end();
        callback();
      });
      return () => {
        end();
        cancel();
      };
    },
    whenSet(delayMs) {
      if ((set.get(delayMs) ?? 0) > 0) return Promise.resolve();
      return new Promise((resolve) => waiting.add({ delayMs, resolve }));
    },
  };
}
