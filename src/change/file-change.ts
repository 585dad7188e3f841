/** What became of a file. */
export type FileChangeKind = "created" | "modified" | "deleted";

/** The most of a diff that events and answers hold, in bytes. */
export const MAX_DIFF_BYTES = 256 * 1024;

/** What a call did to a file, as people are told it. */
export interface FileChanged {
  readonly callId: string;
  /** Below the session's workspace. */
  readonly path: string;
  readonly change: FileChangeKind;
  /** Unified; empty for what is no text, and where it is larger than `MAX_DIFF_BYTES`. */
  readonly diff: string;
  /** The blob of a larger one; else empty. */
  readonly diffBlob: string;
  readonly addedLines: number;
  readonly removedLines: number;
}

/** What is kept of a change of a file, to take it back. */
export interface KeptChange {
  readonly id: string;
  /** The session and turn whose call it was: the ones asked for, or those of an agent that they started. */
  readonly sessionId: string;
  readonly turnId: string;
  /** Below the session's workspace, no link in it. */
  readonly path: string;
  /** What it was: the name of a blob. Empty = there was no file. */
  readonly beforeSha256: string;
  /** Undefined = there was no file. */
  readonly beforeMode: number | undefined;
  /** Of what was written; empty = the file was removed. */
  readonly afterSha256: string;
  /** How many of the folders above it, the nearest ones, were made with it. */
  readonly newFolders: number;
  /** Whether it is known to have happened; else it may have been cut off before. */
  readonly isMade: boolean;
}
