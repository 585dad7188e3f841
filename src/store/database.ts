/** What SQL columns hold. Integers stay below 2^53. */
export type SqlValue = string | number | null | Uint8Array;

/** One row, by column name. */
export type Row = Record<string, SqlValue>;

/** One SQL statement with its parameters, in portable SQL with `?` marks. */
export interface Statement {
  readonly sql: string;
  readonly params: readonly SqlValue[];
  /**
   * Set: the statement must touch exactly one row. If it does not, its whole transaction is undone and rejected with
   * `ClaimLost` of this name. This is the compare-and-set that settles every race.
   */
  readonly claim?: string;
  /** True: it gives out a revision, and who listens for that is told once it is committed. See `revision.ts`. */
  readonly bumpsRevision?: boolean;
  /** True: its commit ends with what the store's sealing makes of it. See `Sealing`. */
  readonly wantsSeal?: boolean;
}

/** A statement that reads. */
export interface Query extends Statement {
  /** Ends its rows after the first one for which it answers true. */
  readonly stop?: (row: Row) => boolean;
}

/** A statement of a transaction found that somebody else was first. Nothing of the transaction was stored. */
export class ClaimLost extends Error {
  override readonly name = "ClaimLost";
  readonly claim: string;

  constructor(claim: string) {
    super(`claim lost: ${claim}`);
    this.claim = claim;
  }
}

/** A transaction on its way to the disk. */
export interface Transaction {
  readonly statements: readonly Statement[];
  /** Written even where the disk is full, from the space kept for that: ends, cancels, removals. */
  readonly essential?: boolean;
  /** Told the outcome, before anything else runs: after the commit, or with why there is none. */
  settle(error: Error | undefined): void;
}

/**
 * What is written at the end of each commit that holds a statement which wants it, as a part of that commit: neither is on the
 * disk without the other.
 */
export interface Sealing {
  /** Reads what the commit has brought. */
  readonly select: Statement;
  /** Makes of these rows what is written with them. Pure: a commit that fails is made again with other rows. */
  seal(rows: readonly Row[]): readonly Statement[];
}

/** Work that is made up only when a commit is about to be written. */
export interface DeferredWork {
  /** Hands over what there is now. */
  collect(): readonly Transaction[];
}

/** What a copy tells of itself. */
export interface CopyProgress {
  /** Called now and then; stops the copy by throwing. */
  check(): void;
  /** Called at the moment that the copy holds: it has all that was stored by now, and nothing later. */
  onMoment(): void;
}

/**
 * The store. Asynchronous on the outside, so that writing may move to another thread or machine; a transaction is a list
 * of statements, so that no caller ever waits inside one. Throws DomainError `STORAGE_FULL` or `STORAGE_FAILED` where the
 * disk refuses.
 */
export interface Database {
  /** All rows. With `stop`, ends after the first row for which it answers true. */
  all<R = Row>(statement: Statement, stop?: (row: R) => boolean): Promise<R[]>;
  /** The first row, or undefined. */
  get<R = Row>(statement: Statement): Promise<R | undefined>;
  /**
   * Several reads of one moment: between two commits, when memory has taken up the last one. `take` makes of the rows, in
   * that same moment, what is returned: what it looks at in memory belongs to them. Without it the rows are.
   */
  read<T = Row[][]>(queries: readonly Query[], take?: (rows: Row[][]) => T): Promise<T>;
  /** Stores all of the statements or none; resolves after the commit is on the disk. */
  transact(statements: readonly Statement[], options?: { readonly essential?: boolean }): Promise<void>;
  /** The same for callers that must know in the very moment of the commit. */
  enqueue(transaction: Transaction): void;
  /** Says how commits are sealed from now on. There is one sealing; without it nothing is sealed. */
  sealWith(sealing: Sealing): void;
  /** Registers work to be collected at each commit. */
  defer(work: DeferredWork): void;
  /** Says that deferred work of about this many bytes waits; a commit comes by the pace of the committer. */
  requestCommit(pendingBytes: number): void;
  /** Calls `ring` after each commit that gave out a revision; the returned function takes that back. */
  onRevision(ring: () => void): () => void;
  /** Bytes on the disk. */
  size(): Promise<number>;
  /** Writes a copy of one moment into an empty file, while others go on. */
  copyTo(file: string, progress: CopyProgress): Promise<void>;
  /** Commits what waits, then closes. */
  close(): Promise<void>;
}
