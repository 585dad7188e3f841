/** Lets the changes of one workspace come one after another; those of others do not wait for them. */
export type ChangesInTurn = <T>(workspace: string, change: () => Promise<T>) => Promise<T>;

export function createChangesInTurn(): ChangesInTurn {
  const last = new Map<string, Promise<void>>();
  return (workspace, change) => {
    const mine = (last.get(workspace) ?? Promise.resolve()).then(change);
    const ended: Promise<void> = mine.then(
      () => forget(),
      // Whose change it was is told; who comes next goes on.
      () => forget(),
    );
    function forget(): void {
      if (last.get(workspace) === ended) last.delete(workspace);
    }
    last.set(workspace, ended);
    return mine;
  };
}
