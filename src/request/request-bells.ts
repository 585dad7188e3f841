import type { Clock } from "../clock.ts";
import type { Request } from "./request.ts";

/** Wakes callers who wait for the end of a request. Thousands cost memory only: nobody asks the store. */
export interface RequestBells {
  /**
   * Resolves with the request as it ended, or undefined after `timeoutMs` of `clock`. It hears what ends from this call on:
   * look at the request after it. Rejects with `signal.reason`, or what `stop` was given.
   */
  wait(requestId: string, timeoutMs: number, signal: AbortSignal): Promise<Request | undefined>;
  /** Tells all who wait for this one; to be called once its end is stored. */
  ring(ended: Request): void;
  /** Ends every wait with this error; later ones get it at once. */
  stop(error: Error): void;
  /** How many wait. */
  count(): number;
}

interface Waiter {
  settle(outcome: Request | Error | undefined): void;
}

export function createRequestBells(clock: Clock): RequestBells {
  const waiters = new Map<string, Set<Waiter>>();
  let stopped: Error | undefined;

  function remove(requestId: string, waiter: Waiter): void {
    const others = waiters.get(requestId);
    others?.delete(waiter);
    if (others?.size === 0) waiters.delete(requestId);
  }

  return {
    wait: (requestId, timeoutMs, signal) =>
      new Promise((resolve, reject) => {
        signal.throwIfAborted();
        if (stopped !== undefined) throw stopped;
        const onAbort = (): void => waiter.settle(signal.reason as Error);
        const cancelTimer = clock.after(timeoutMs, () => waiter.settle(undefined));
        const waiter: Waiter = {
          settle(outcome) {
            cancelTimer();
            signal.removeEventListener("abort", onAbort);
            remove(requestId, waiter);
            if (outcome instanceof Error) reject(outcome);
            else resolve(outcome);
          },
        };
        signal.addEventListener("abort", onAbort, { once: true });
        const others = waiters.get(requestId) ?? new Set();
        waiters.set(requestId, others.add(waiter));
      }),
    ring(ended) {
      for (const waiter of waiters.get(ended.id) ?? []) waiter.settle(ended);
    },
    stop(error) {
      stopped = error;
      for (const others of waiters.values()) for (const waiter of others) waiter.settle(error);
    },
    count: () => [...waiters.values()].reduce((sum, others) => sum + others.size, 0),
  };
}
