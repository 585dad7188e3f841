import type { Event } from "../../client/client.ts";

/** Which turns run and which are over, as the session's events tell. */
export interface ChatTurns {
  see(event: Event): void;
  /** The one that runs; undefined = none. */
  readonly running: string | undefined;
  /** Resolves when that turn is over, or when the log is another one. Rejects with `signal.reason`. */
  whenEnded(turnId: string, signal: AbortSignal): Promise<void>;
  /** What is known is of another log. */
  forget(): void;
}

interface Waiting {
  readonly turnId: string;
  readonly resolve: () => void;
}

export function createChatTurns(runningAtStart: string): ChatTurns {
  const ended = new Set<string>();
  const waiting = new Set<Waiting>();
  let running = runningAtStart || undefined;

  function wake(isOver: (turnId: string) => boolean): void {
    for (const wait of waiting) if (isOver(wait.turnId)) wait.resolve();
  }
  function forget(): void {
    running = undefined;
    wake(() => true);
  }
  return {
    see({ payload, turnId }) {
      // None runs then; the end of one that went with its messages does not come.
      if (payload.case === "historyCleared") forget();
      if (payload.case === "turnStarted") running = turnId;
      if (payload.case !== "turnEnded") return;
      ended.add(turnId);
      if (running === turnId) running = undefined;
      wake((waitedFor) => waitedFor === turnId);
    },
    get running() {
      return running;
    },
    whenEnded(turnId, signal) {
      return new Promise((resolve, reject) => {
        if (ended.has(turnId)) return resolve();
        signal.throwIfAborted();
        const wait: Waiting = { turnId, resolve: () => settle(resolve) };
        const onAbort = (): void => settle(() => reject(signal.reason as Error));
        const settle = (end: () => void): void => {
          waiting.delete(wait);
          signal.removeEventListener("abort", onAbort);
          end();
        };
        waiting.add(wait);
        signal.addEventListener("abort", onAbort, { once: true });
      });
    },
    forget,
  };
}
