import type { Stats } from "node:fs";

export interface FoundFile {
  /** Absolute, without links. */
  readonly path: string;
  readonly bytes: Buffer;
  readonly stats: Stats;
}

/** What is about to become of a file. */
export interface FileChange {
  /** Below the workspace, with `/`, no link in it. */
  readonly path: string;
  /** Undefined = there is none yet. */
  readonly before: FoundFile | undefined;
  /** Undefined = it is removed. */
  readonly after: Uint8Array | undefined;
  /** How many of the folders above it, the nearest ones, are made with it. */
  readonly newFolders: number;
}

/**
 * Stands around a change of a file, so that none happens of which nothing is kept: `make` does it, once. Where `make` throws the
 * file is as it was.
 */
export type AroundChange = (change: FileChange, make: () => Promise<void>) => Promise<void>;

/** For changes that nobody has to take back. */
export const UNKEPT: AroundChange = (_change, make) => make();

/** What a file is to be, made from what it is; `before` is undefined where there is none yet. */
export type MakeContent = (before: FoundFile | undefined) => Uint8Array | Promise<Uint8Array>;

/** How a file is written. */
export interface FileWrite {
  readonly make: MakeContent;
  readonly around: AroundChange;
  /** Of a file that is new; undefined = as the system makes files. One that is there keeps its own. */
  readonly mode?: number | undefined;
}

/** How a file is removed. */
export interface FileRemoval {
  readonly around: AroundChange;
  /** Throws where the file is not the one that is meant. */
  check?(before: FoundFile): void;
  /** How many of the folders above it, the nearest ones, go with it where nothing else is in them; left out = none. */
  readonly folders?: number;
}
