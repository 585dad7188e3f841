import type { AuditEntry } from "./audit-entry.ts";
import { type ChainEnd, formatEnd, hashEntry } from "./chain.ts";

/** An end that was written down elsewhere, and where. */
export interface KnownEnd extends ChainEnd {
  readonly where: string;
}

export interface Chain {
  /** What the first entry follows. */
  readonly anchor: ChainEnd;
  /** The last entry, as the store says. */
  readonly head: ChainEnd;
  /** In order, the oldest first. */
  readonly entries: Iterable<AuditEntry>;
  /** Ends that the chain must have had at its time. */
  readonly known?: readonly KnownEnd[];
}

export interface Verified {
  readonly count: number;
  /** The last entry that there is. */
  readonly end: ChainEnd;
  /** What is wrong, in words; empty = nothing. At most `MAX_PROBLEMS`. */
  readonly problems: readonly string[];
}

const MAX_PROBLEMS = 20;

/** Follows a chain from end to end. */
export function verifyChain({ anchor, head, entries, known = [] }: Chain): Verified {
  const problems: string[] = [];
  const say = (problem: string): void => void (problems.length < MAX_PROBLEMS && problems.push(problem));
  let count = 0;
  let last = anchor;
  let trimmed = "";
  for (const entry of entries) {
    count++;
    const next = checkEntry(entry, last, say);
    for (const end of known) if (end.seq === entry.seq) checkKnown(end, next, say);
    if (entry.action === "AUDIT_TRIMMED") trimmed = trimmedThrough(entry.detail);
    last = next;
  }
  checkHead(head, last, say);
  for (const end of known) {
    if (end.seq > last.seq)
      say(`${end.where} says that there was an entry ${end.seq}, and the log ends at ${last.seq}`);
  }
  if (anchor.seq > 0 && trimmed !== formatEnd(anchor)) {
    say(`entries up to ${anchor.seq} are missing, and no entry says that they were removed for their age`);
  }
  return { count, end: last, problems };
}

/** Answers what the next entry has to follow. */
function checkEntry(entry: AuditEntry, last: ChainEnd, say: (problem: string) => void): ChainEnd {
  const { seq, prevHash, hash } = entry;
  const hasGap = seq !== last.seq + 1;
  if (hasGap) say(`${range(last.seq + 1, seq - 1)} missing`);
  if (hash === undefined) {
    say(`entry ${seq} has no hash: no engine wrote it`);
    // What an engine wrote behind it follows what was before.
    return { seq, hash: last.hash };
  }
  if (!isSame(hashEntry(prevHash, entry), hash)) say(`entry ${seq} is not what it was when it was written`);
  else if (!hasGap && !isSame(prevHash, last.hash)) say(`entry ${seq} does not follow the one before it`);
  return { seq, hash };
}

function checkHead(head: ChainEnd, last: ChainEnd, say: (problem: string) => void): void {
  if (last.seq < head.seq) say(`${range(last.seq + 1, head.seq)} missing at the end`);
  else if (last.seq > head.seq) say(`${range(head.seq + 1, last.seq)} no engine's: the log ended before`);
  else if (!isSame(last.hash, head.hash)) say(`entry ${last.seq} is not the one that the log ended with`);
}

function checkKnown(end: KnownEnd, found: ChainEnd, say: (problem: string) => void): void {
  if (!isSame(end.hash, found.hash)) say(`entry ${end.seq} is not the one that ${end.where} knows`);
}

/** The anchor that an entry AUDIT_TRIMMED vouches for. */
function trimmedThrough(detail: string): string {
  try {
    const { through } = JSON.parse(detail) as { through?: unknown };
    return typeof through === "string" ? through : "";
  } catch {
    // No engine writes such a detail, so its hash was wrong and is reported.
    return "";
  }
}

function range(first: number, last: number): string {
  return first === last ? `entry ${first} is` : `entries ${first} to ${last} are`;
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
