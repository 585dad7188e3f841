import type { Clock } from "../clock.ts";
import type { DeferredWork, Statement, Transaction } from "./database.ts";

/**
 * Deferred work waits this long for company after a commit: one fsync then serves the deltas of all live sessions. A
 * commit each for 200 live turns would be 13,000 a second where a disk does 3,800 (measured, see docs/decisions.md).
 */
const PACE_MS = 15;

/** On a slow disk commits take turns with the rest of the program: at most a third of the time is spent in them. */
const PACE_PER_COMMIT_TIME = 2;

/** Deferred work of this size goes at once, so that a fast model does not pile up memory. */
const MAX_PENDING_BYTES = 64 * 1024;

/** Writes one group of transactions with one fsync; tells each its own outcome by returning it. */
export type WriteGroup = (group: readonly Transaction[]) => readonly (Error | undefined)[];

export interface Committer {
  enqueue(transaction: Transaction): void;
  defer(work: DeferredWork): void;
  requestCommit(pendingBytes: number): void;
  /** Calls `ring` after each commit that gave out a revision, once its members know; the returned function takes that back. */
  onRevision(ring: () => void): () => void;
  /** Commits all that waits, now. */
  flush(): void;
}

/**
 * One committer for the whole engine: what was queued in the same turn of the event loop, by anybody, goes to the disk as
 * one physical transaction. Queued transactions go at the end of that turn; deferred work waits for its pace.
 */
export function createCommitter(
  write: WriteGroup,
  clock: Clock,
  soon: (run: () => void) => void = setImmediate,
): Committer {
  let queue: Transaction[] = [];
  const deferred: DeferredWork[] = [];
  const bells = new Set<() => void>();
  let isScheduled = false;
  let cancelTimer: (() => void) | undefined;
  let lastEnd = -Infinity;
  let lastDuration = 0;

  function schedule(): void {
    if (isScheduled) return;
    isScheduled = true;
    soon(commit);
  }

  function commit(): void {
    isScheduled = false;
    cancelTimer?.();
    cancelTimer = undefined;
    const group = queue;
    queue = [];
    for (const work of deferred) group.push(...work.collect());
    if (group.length === 0) return;
    const start = clock.monotonic();
    const outcomes = write(group);
    lastEnd = clock.monotonic();
    lastDuration = lastEnd - start;
    for (let i = 0; i < group.length; i++) group[i]?.settle(outcomes[i]);
    const isBumped = group.some(({ statements }, i) => outcomes[i] === undefined && statements.some(bumps));
    if (isBumped) for (const ring of bells) ring();
  }

  return {
    enqueue(transaction) {
      queue.push(transaction);
      schedule();
    },
    defer(work) {
      deferred.push(work);
    },
    requestCommit(pendingBytes) {
      if (isScheduled) return;
      const pace = Math.max(PACE_MS, PACE_PER_COMMIT_TIME * lastDuration);
      const wait = lastEnd + pace - clock.monotonic();
      if (wait <= 0 || pendingBytes >= MAX_PENDING_BYTES) schedule();
      else cancelTimer ??= clock.after(wait, commit);
    },
    onRevision(ring) {
      bells.add(ring);
      return () => bells.delete(ring);
    },
    flush: commit,
  };
}

function bumps({ bumpsRevision }: Statement): boolean {
  return bumpsRevision === true;
}
