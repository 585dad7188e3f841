import type { KeptChange } from "./file-change.ts";

/** All that a turn did to one file, as one change. A hash is empty where there is no file. */
export interface FoldedChange {
  readonly path: string;
  readonly changes: readonly KeptChange[];
  /** What is to be there again. */
  readonly beforeSha256: string;
  readonly beforeMode: number | undefined;
  /** What may be there where nobody else has changed it since. Empty: somebody else changed it between two changes. */
  readonly left: ReadonlySet<string>;
  /** How many of the folders above it go with it. */
  readonly newFolders: number;
}

/** Folds a turn's changes, given with the oldest first. What was changed last comes first: folders are empty by then. */
export function foldChanges(changes: readonly KeptChange[]): FoldedChange[] {
  const byPath = new Map<string, FoldedChange>();
  for (const change of changes) byPath.set(change.path, fold(byPath.get(change.path), change));
  return [...byPath.values()].toReversed();
}

function fold(known: FoldedChange | undefined, change: KeptChange): FoldedChange {
  const { path, beforeSha256, beforeMode, afterSha256, newFolders } = change;
  // One that was cut off has happened, or has not.
  const left = new Set(change.isMade ? [afterSha256] : [beforeSha256, afterSha256]);
  if (known === undefined) return { path, changes: [change], beforeSha256, beforeMode, left, newFolders };
  return {
    ...known,
    changes: [...known.changes, change],
    left: known.left.has(beforeSha256) ? left : new Set(),
    newFolders: Math.max(known.newFolders, newFolders),
  };
}
