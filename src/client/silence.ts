import { Code, ConnectError } from "@connectrpc/connect";
import type { Clock } from "../clock.ts";

/** Two heartbeats of 15 s, and a little for the way. */
const MAX_SILENCE_MS = 35_000;

/** Ends a wait that takes too long. */
export interface SilenceGuard {
  /** Waits for `next`, but only for so long; the time in which nobody waits does not count. */
  wait<T>(next: Promise<T>): Promise<T>;
  close(): void;
}

/**
 * Calls `onSilence` and fails the wait where nothing comes for `MAX_SILENCE_MS`: a peer that is gone without a word keeps a
 * connection open for many minutes. One timer for the whole stream, since a timer for each of its messages would cost
 * more than the messages.
 */
export function guardSilence(clock: Clock, onSilence: (error: ConnectError) => void): SilenceGuard {
  let waitingSince: number | undefined;
  let fail: ((error: ConnectError) => void) | undefined;
  let cancel = clock.after(MAX_SILENCE_MS, check);

  function check(): void {
    const silentMs = waitingSince === undefined ? 0 : clock.monotonic() - waitingSince;
    if (silentMs < MAX_SILENCE_MS) {
      cancel = clock.after(MAX_SILENCE_MS - silentMs, check);
      return;
    }
    const error = new ConnectError(`the engine was silent for ${Math.round(silentMs / 1000)} s`, Code.Unavailable);
    fail?.(error);
    onSilence(error);
  }

  return {
    wait(next) {
      waitingSince = clock.monotonic();
      return new Promise((resolve, reject) => {
        fail = reject;
        next.then(
          (value) => {
            waitingSince = undefined;
            resolve(value);
          },
          (error: Error) => {
            waitingSince = undefined;
            reject(error);
          },
        );
      });
    },
    close: () => cancel(),
  };
}
