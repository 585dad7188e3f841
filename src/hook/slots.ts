/** Lets only so many tasks run at the same time; the others wait in the order in which they came. */
export interface Slots {
  /** Rejects with the signal's reason where it is aborted before the task begins. */
  run<T>(task: () => Promise<T>, signal: AbortSignal): Promise<T>;
  /** How many wait. */
  waiting(): number;
}

export function createSlots(count: number): Slots {
  let free = count;
  const queue: (() => void)[] = [];

  function release(): void {
    const next = queue.shift();
    if (next === undefined) free++;
    else next();
  }

  /** Resolves when a slot is the caller's. */
  function take(signal: AbortSignal): Promise<void> {
    if (free > 0) {
      free--;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        queue.splice(queue.indexOf(begin), 1);
        reject(signal.reason as Error);
      };
      const begin = (): void => {
        signal.removeEventListener("abort", onAbort);
        resolve();
      };
      queue.push(begin);
      signal.addEventListener("abort", onAbort, { once: true });
    });
  }

  return {
    async run(task, signal) {
      signal.throwIfAborted();
      await take(signal);
      try {
        return await task();
      } finally {
        release();
      }
    },
    waiting: () => queue.length,
  };
}
