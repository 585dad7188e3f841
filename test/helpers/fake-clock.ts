import type { Clock } from "../../src/clock.ts";

/** A clock that stands still until it is moved. */
export interface FakeClock extends Clock {
  /** Moves on by so much, and runs what is due on the way, in order; what that sets going has run when it resolves. */
  advance(ms: number): Promise<void>;
  /** As after a machine has slept for so long: what is due by then runs once, however often it would have run meanwhile. */
  leap(ms: number): Promise<void>;
  /** How many timers are set. */
  timers(): number;
}

export function createFakeClock(startMs = 1_700_000_000_000): FakeClock {
  let elapsed = 0;
  const timers = new Set<{ readonly dueAt: number; readonly callback: () => void }>();
  const advance = async (ms: number): Promise<void> => {
    await settle();
    const end = elapsed + ms;
    for (;;) {
      const [next] = [...timers].filter(({ dueAt }) => dueAt <= end).sort((a, b) => a.dueAt - b.dueAt);
      if (next === undefined) break;
      timers.delete(next);
      elapsed = Math.max(elapsed, next.dueAt);
      next.callback();
      await settle();
    }
    elapsed = end;
    await settle();
  };
  return {
    now: () => startMs + elapsed,
    monotonic: () => elapsed,
    after(delayMs, callback) {
      const timer = { dueAt: elapsed + delayMs, callback };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    advance,
    async leap(ms) {
      elapsed += ms;
      await advance(0);
    },
    timers: () => timers.size,
  };
}

/** Lets everything run that waits for nothing but its turn. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
}
