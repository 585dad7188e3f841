/** What became of a file whose changes were to be taken back. */
export type RevertOutcome =
  /** It is as it was before the turn again. */
  | "reverted"
  /** Somebody changed it since; it was left alone. */
  | "not_as_left"
  /** Somebody removed it since; it was left alone. */
  | "gone"
  /** It is as it was before the turn already. */
  | "as_before"
  /** Somebody else changed it between two changes of the turn; it was left alone. */
  | "changed_between"
  /** It could not be looked at or changed. */
  | "refused";

export interface RevertedFile {
  /** Below the session's workspace. */
  readonly path: string;
  readonly outcome: RevertOutcome;
  /** From what is there to what was there; empty where nothing is taken back, for what is no text, and where it is too large. */
  readonly diff: string;
  readonly addedLines: number;
  readonly removedLines: number;
  /** Why it was refused; else empty. */
  readonly message: string;
}

/** What a revert came to. */
export interface Revert {
  readonly files: readonly RevertedFile[];
  /** There are more files than one answer holds. */
  readonly hasMore: boolean;
}
