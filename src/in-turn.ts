/** Runs tasks one after another, in the order in which they came, whatever became of the ones before. */
export type InTurn = <T>(task: () => Promise<T>) => Promise<T>;

export function createInTurn(): InTurn {
  let last: Promise<unknown> = Promise.resolve();
  return (task) => {
    const mine = last.then(task);
    last = mine.catch(() => undefined);
    return mine;
  };
}

/** Runs the tasks of one key one after another; those of different keys do not wait for each other. */
export type InTurnBy = <T>(key: string, task: () => Promise<T>) => Promise<T>;

export function createInTurnBy(): InTurnBy {
  const turns = new Map<string, { readonly inTurn: InTurn; waiting: number }>();
  return async (key, task) => {
    const turn = turns.get(key) ?? { inTurn: createInTurn(), waiting: 0 };
    turns.set(key, turn);
    turn.waiting++;
    try {
      return await turn.inTurn(task);
    } finally {
      if (--turn.waiting === 0) turns.delete(key);
    }
  };
}
