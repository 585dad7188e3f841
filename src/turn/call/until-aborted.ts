import type { Clock } from "../../clock.ts";

/** A tool that does not listen to its signal does not hold up the end of its turn; one that ends what it has started gets `graceMs`. */
export function untilAborted<T>(promise: Promise<T>, signal: AbortSignal, clock: Clock, graceMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    let cancelTimer: (() => void) | undefined;
    const refuse = (): void => reject(signal.reason as Error);
    const onAbort = (): void => {
      if (graceMs === 0) refuse();
      else cancelTimer = clock.after(graceMs, refuse);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => {
      signal.removeEventListener("abort", onAbort);
      cancelTimer?.();
    });
    if (signal.aborted) onAbort();
  });
}
