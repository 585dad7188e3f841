/** What a human typed and that is not done yet. */
export interface TypedLines {
  /** In the order in which it was typed. */
  readonly pending: readonly string[];
  add(text: string): void;
  /** Resolves when all that was added until now is done. */
  whenDone(): Promise<void>;
}

export interface TypedLinesOptions {
  /** Whether a line may overtake those that keep the order, where they take too long. */
  readonly mayOvertake: (text: string) => boolean;
  /** How long a line that may overtake lets those before it go first. */
  readonly patience: () => Promise<void>;
  /** Never rejects. */
  readonly run: (text: string) => Promise<void>;
  readonly onDone: () => void;
}

/**
 * One after the other, so that what was typed first is said first. A command lets what was typed before it go first too, as it
 * mostly is about that; but not for long, so that it can be given while something cannot be sent.
 */
export function createTypedLines({ mayOvertake, patience, run, onDone }: TypedLinesOptions): TypedLines {
  const pending: { readonly text: string }[] = [];
  let ordered: Promise<void> = Promise.resolve();
  let overtaking: Promise<void> = Promise.resolve();

  async function runAfter(before: Promise<unknown>, line: { readonly text: string }): Promise<void> {
    await before;
    await run(line.text);
    pending.splice(pending.indexOf(line), 1);
    onDone();
  }
  return {
    get pending() {
      return pending.map(({ text }) => text);
    },
    add(text) {
      const line = { text };
      const hasOrdered = pending.some((other) => !mayOvertake(other.text));
      pending.push(line);
      if (mayOvertake(text)) {
        const before = hasOrdered ? Promise.race([ordered, patience()]) : undefined;
        overtaking = runAfter(Promise.all([overtaking, before]), line);
      } else ordered = runAfter(Promise.all([ordered, overtaking]), line);
    },
    async whenDone() {
      await Promise.all([ordered, overtaking]);
    },
  };
}
