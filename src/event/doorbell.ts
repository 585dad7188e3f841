import type { Clock } from "../clock.ts";
import type { Listener } from "./session-log.ts";

/** After this much silence a reader is told that the stream lives. */
export const HEARTBEAT_MS = 15_000;

/** Wakes a reader that has read all there is. */
export interface Doorbell extends Listener {
  /** Throws what ended the stream. */
  check(): void;
  /** True when it rang since the last wait, false after that much silence. */
  wait(timeoutMs: number): Promise<boolean>;
  close(): void;
}

/** Remembers a ring that came while nobody waited; so none is ever lost. */
export function createDoorbell(signal: AbortSignal, clock: Clock): Doorbell {
  let hasRung = false;
  let failure: Error | undefined;
  let wake: (() => void) | undefined;
  const onAbort = (): void => wake?.();
  signal.addEventListener("abort", onAbort);
  const check = (): void => {
    signal.throwIfAborted();
    if (failure !== undefined) throw failure;
  };
  return {
    check,
    ring() {
      hasRung = true;
      wake?.();
    },
    fail(error) {
      failure = error;
      wake?.();
    },
    async wait(timeoutMs) {
      if (!hasRung && failure === undefined && !signal.aborted) {
        await new Promise<void>((resolve) => {
          const cancel = clock.after(timeoutMs, resolve);
          wake = () => {
            cancel();
            resolve();
          };
        });
        wake = undefined;
      }
      check();
      const rang = hasRung;
      hasRung = false;
      return rang;
    },
    close() {
      signal.removeEventListener("abort", onAbort);
    },
  };
}
