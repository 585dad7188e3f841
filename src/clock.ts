/** Time, as an argument: tests pass one that they move by hand. */
export interface Clock {
  /** Wall-clock time in milliseconds since 1970. Only for showing; it may jump. */
  now(): number;
  /** Milliseconds since some fixed moment; never jumps, never goes back. */
  monotonic(): number;
  /** Calls `callback` once after `delayMs`; the returned function takes that back. */
  after(delayMs: number, callback: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};

/** Waits. Rejects with `signal.reason` as soon as the signal is aborted. */
export function delay(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const onAbort = (): void => {
      cancel();
      reject(signal.reason as Error);
    };
    const cancel = clock.after(delayMs, () => {
      signal.removeEventListener("abort", onAbort);
      resolve();
    });
    signal.addEventListener("abort", onAbort, { once: true });
  });
}

/** Resolves when the event loop has come round: what came meanwhile, and what waits to be sent, goes first. */
export function othersFirst(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
