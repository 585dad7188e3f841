import { Code, ConnectError } from "@connectrpc/connect";
import { delay, systemClock } from "../clock.ts";
import { backoff } from "../client/backoff.ts";
import { isTransient, reasonOf } from "../client/reason.ts";

/** How long a restart of the engine may take before we give up. */
const GIVE_UP_AFTER_MS = 30_000;

/**
 * Calls again while the engine is away for a moment. Only for calls that may be made twice: reads, and those with an
 * idempotency key.
 */
export async function tryAgain<T>(call: () => Promise<T>, signal: AbortSignal): Promise<T> {
  const startedAt = systemClock.monotonic();
  for (let failures = 0; ; failures++) {
    try {
      return await call();
    } catch (error) {
      const isOver = systemClock.monotonic() - startedAt > GIVE_UP_AFTER_MS;
      if (signal.aborted || isOver || !isAway(error)) throw error;
      await delay(systemClock, backoff(failures, Math.random), signal);
    }
  }
}

/** An engine that says what is full, such as a queue, is there: whoever asked can do more about it than time. */
function isAway(error: unknown): boolean {
  const isFull = error instanceof ConnectError && error.code === Code.ResourceExhausted;
  return isTransient(error) && !(isFull && reasonOf(error) !== undefined);
}
