/** Tells the loop of a turn that the store has something new for it. What comes while it does not listen is kept. */
export interface Wakeup {
  ring(): void;
  /** Resolves once it has rung, at once where it has. */
  rung(): Promise<void>;
  /** Whether it has rung since the last time this was asked. To be asked before the store is looked at. */
  take(): boolean;
}

export function createWakeup(): Wakeup {
  let isRung = false;
  let tell: (() => void) | undefined;
  return {
    ring() {
      isRung = true;
      tell?.();
    },
    rung: () =>
      new Promise((resolve) => {
        tell = resolve;
        if (isRung) resolve();
      }),
    take() {
      const wasRung = isRung;
      isRung = false;
      return wasRung;
    },
  };
}
