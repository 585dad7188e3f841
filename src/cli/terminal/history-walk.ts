/** Where in what was typed before a human is: goes back with Up, on with Down, and looks for a text with Ctrl-R. */
export interface HistoryWalk {
  /** The line before; undefined at the oldest. `typed` comes back with the last `newer`. */
  older(typed: string): string | undefined;
  newer(): string | undefined;
  /** Begins a search, or goes on to the next older line that holds the text. */
  search(): void;
  /** What is looked for changed. */
  seek(text: string): void;
  readonly searching: { readonly text: string; readonly found: string | undefined } | undefined;
  /** Ends the walk, and the search. */
  stop(): void;
}

export function createHistoryWalk(lines: readonly string[]): HistoryWalk {
  // From the end: 0 = what is being typed.
  let back = 0;
  let typed = "";
  let sought: { text: string; back: number; found: string | undefined } | undefined;

  const at = (index: number): string | undefined => lines[lines.length - index];

  function look(text: string, from: number): void {
    const before = sought?.found;
    for (let index = from; index <= lines.length; index++) {
      const line = at(index);
      if (text === "" || line === undefined || !line.toLowerCase().includes(text.toLowerCase())) continue;
      // The same line again is no other find.
      if (line === before && from > 1) continue;
      sought = { text, back: index, found: line };
      return;
    }
    sought = { text, back: from - 1, found: from > 1 ? before : undefined };
  }

  return {
    older(now) {
      if (back === 0) typed = now;
      const line = at(back + 1);
      if (line !== undefined) back++;
      return line;
    },
    newer() {
      if (back === 0) return undefined;
      back--;
      return back === 0 ? typed : at(back);
    },
    search() {
      if (sought === undefined) sought = { text: "", back: 0, found: undefined };
      else look(sought.text, sought.back + 1);
    },
    seek: (text) => look(text, 1),
    get searching() {
      return sought;
    },
    stop() {
      back = 0;
      sought = undefined;
    },
  };
}
