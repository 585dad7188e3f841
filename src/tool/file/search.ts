import type { FileHandle } from "node:fs/promises";

/** An open file, and what it is called. */
export interface OpenedFile {
  readonly path: string;
  readonly handle: FileHandle;
}

/** A line that matches. */
export interface Line {
  readonly path: string;
  /** From 1. */
  readonly number: number;
  /** Without its end. */
  readonly text: string;
}

export interface SearchRequest {
  readonly pattern: string;
  readonly ignoreCase: boolean;
}

/** Finds lines in files, in the order of the files, at most `max` of them. Files that are not text have none. Does not close them. */
export type Search = (files: readonly OpenedFile[], max: number, signal: AbortSignal) => Promise<readonly Line[]>;
