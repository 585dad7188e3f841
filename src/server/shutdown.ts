import { systemClock, type Clock } from "../clock.ts";

/** The part of `process` that is needed here. */
export interface SignalSource {
  on(signal: NodeJS.Signals, listener: () => void): unknown;
  off(signal: NodeJS.Signals, listener: () => void): unknown;
}

export interface ShutdownDeps {
  /** Closes everything, in order. */
  readonly close: () => Promise<void>;
  readonly exit: (code: number) => void;
  /** Told when the first signal comes, and of a close that failed or took too long. */
  readonly onSignal?: (signal: NodeJS.Signals) => void;
  readonly onFailure?: (error: unknown) => void;
  readonly source?: SignalSource;
  readonly clock?: Clock;
  readonly limitMs?: number;
}

// How long a stop takes at most (design: "Bounded: 10 s").
const LIMIT_MS = 10_000;
// Shells and supervisors expect 128 + the signal's number of a program that a signal ended.
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;
const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/**
 * Closes the engine when it is told to stop: once, in order, within a limit; a second signal ends the process at once.
 * Exits 0 after a whole close, 1 after one that failed or took too long. The returned function takes the listeners back.
 */
export function installShutdown(deps: ShutdownDeps): () => void {
  const source = deps.source ?? process;
  const clock = deps.clock ?? systemClock;
  let stopping = false;

  const stop = async (): Promise<void> => {
    const cancel = clock.after(deps.limitMs ?? LIMIT_MS, () => {
      deps.onFailure?.(new Error("stopping took too long; what had not ended by itself was cut off"));
      deps.exit(1);
    });
    try {
      await deps.close();
      deps.exit(0);
    } catch (error) {
      deps.onFailure?.(error);
      deps.exit(1);
    } finally {
      cancel();
    }
  };

  const listeners = SIGNALS.map((signal) => {
    const listener = (): void => {
      if (stopping) return deps.exit(EXIT_CODES[signal]);
      stopping = true;
      deps.onSignal?.(signal);
      void stop();
    };
    source.on(signal, listener);
    return { signal, listener };
  });
  return () => {
    for (const { signal, listener } of listeners) source.off(signal, listener);
  };
}
