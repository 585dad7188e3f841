import { type Delta, type DeltaKind, type LogEntry, type LoggedDelta, type OutputKind, targetOf } from "./event.ts";
import { addRange, isInRanges, type SeqRange } from "./seq-range.ts";

/**
 * The most characters of one delta, stored or merged for a reader: at most 3 bytes each in UTF-8, so 192 KiB of the
 * 256 KiB that api.md promises.
 */
const MAX_DELTA_CHARS = 64 * 1024;

/** The newest facts of a live session that are served from memory; older ones are read from the store. */
const MAX_EVENTS_IN_MEMORY = 256;

/** A piece of text that waits for the next commit. */
export interface PendingDelta {
  readonly turnId: string;
  delta: Delta;
}

/** Told that the log of a session has grown, or why it never will again. */
export interface Listener {
  ring(): void;
  fail(error: Error): void;
}

/** What the engine holds in memory of one session's log while the session is in use. */
export interface SessionLog {
  readonly id: string;
  /** The session's number in the rows of the log. */
  readonly key: number;
  /** The last stored number that is not a delta's. */
  lastEventSeq: number;
  /** The last published number. */
  lastSeq: number;
  /** Facts after `eventFloor`, and every delta that may still be read; in order. */
  entries: LogEntry[];
  eventFloor: number;
  /** What was taken out of the log, and may still be in the store; replaced, never changed in place. */
  removed: readonly SeqRange[];
  /** Messages and calls whose deltas are in `entries`. */
  readonly retained: Set<string>;
  pending: PendingDelta[];
  /** Told once what waits is stored, or was refused. */
  waiters: (() => void)[];
  readonly queue: QueuedAppend[];
  isWriting: boolean;
  /** Why the last delta could not be stored; the next writer is told. */
  deltaError: Error | undefined;
  readonly listeners: Set<Listener>;
  /** Set when the session is gone: why. */
  ended: Error | undefined;
}

/** An append that waits for its turn. */
export interface QueuedAppend {
  /** Numbers it and hands it to the committer. */
  write(): void;
  /** Refuses it. */
  refuse(error: Error): void;
}

export function createSessionLog(
  id: string,
  key: number,
  lastSeq: number,
  removed: readonly SeqRange[] = [],
): SessionLog {
  return {
    id,
    key,
    lastEventSeq: lastSeq,
    lastSeq,
    entries: [],
    eventFloor: lastSeq,
    removed,
    retained: new Set(),
    pending: [],
    waiters: [],
    queue: [],
    isWriting: false,
    deltaError: undefined,
    listeners: new Set(),
    ended: undefined,
  };
}

/** Nobody uses it and nothing of it is only in memory: it can be dropped and loaded again. */
export function isForgettable(log: SessionLog): boolean {
  return (
    !log.isWriting &&
    log.queue.length === 0 &&
    log.pending.length === 0 &&
    log.retained.size === 0 &&
    log.listeners.size === 0
  );
}

/** Adds text to what waits for the next commit. */
export function addPending(log: SessionLog, delta: Delta, turnId: string): void {
  const last = log.pending.at(-1);
  const { text } = delta;
  if (last !== undefined && fitsBehind(last.delta, delta)) {
    last.delta = { ...last.delta, text: last.delta.text + text };
    return;
  }
  for (let start = 0; start < text.length;) {
    const end = wholeEnd(text, Math.min(start + MAX_DELTA_CHARS, text.length));
    log.pending.push({ turnId, delta: { ...delta, text: text.slice(start, end) } });
    start = end;
  }
}

/** Moves an end back by one where it would cut a surrogate pair in two. */
function wholeEnd(text: string, end: number): number {
  const code = text.charCodeAt(end - 1);
  return end < text.length && code >= 0xd800 && code <= 0xdbff ? end - 1 : end;
}

/** Makes what a commit held visible to readers, and wakes them. */
export function publish(log: SessionLog, entries: readonly LogEntry[]): void {
  const last = entries.at(-1);
  if (last === undefined) return;
  for (const entry of entries) {
    if ("delta" in entry) log.retained.add(targetOf(entry.delta));
    log.entries.push(entry);
  }
  log.lastSeq = last.seq;
  if (log.retained.size === 0 && log.entries.length > 2 * MAX_EVENTS_IN_MEMORY) dropOldEvents(log);
  for (const listener of log.listeners) listener.ring();
}

/** Takes what lies in these ranges out of what readers are given, text included. */
export function removeRanges(log: SessionLog, ranges: readonly SeqRange[]): void {
  if (ranges.length === 0) return;
  log.removed = ranges.reduce<readonly SeqRange[]>(addRange, log.removed);
  log.entries = log.entries.filter(({ seq }) => !isInRanges(ranges, seq));
  const left = new Set(log.entries.map((entry) => ("delta" in entry ? targetOf(entry.delta) : "")));
  for (const targetId of log.retained) if (!left.has(targetId)) log.retained.delete(targetId);
}

/** Forgets the deltas of one message or call; who comes now gets it whole. */
export function dropDeltas(log: SessionLog, targetId: string): void {
  if (!log.retained.delete(targetId)) return;
  log.entries = log.entries.filter((entry) => !("delta" in entry) || targetOf(entry.delta) !== targetId);
  dropOldEvents(log);
}

function dropOldEvents(log: SessionLog): void {
  const events = log.entries.filter((entry) => !("delta" in entry));
  const lastDropped = events.at(-MAX_EVENTS_IN_MEMORY - 1);
  if (lastDropped === undefined) return;
  log.eventFloor = lastDropped.seq;
  log.entries = log.entries.filter((entry) => "delta" in entry || entry.seq > log.eventFloor);
}

/** A log at one moment. */
export interface LogMoment {
  /** Its end, deltas included. */
  readonly lastSeq: number;
  /** What a message has said, or a call has printed, so far. */
  said(targetId: string, kind: DeltaKind | OutputKind): string;
  /** What a call has printed so far, on both of its streams as it came. */
  printed(callId: string): string;
}

/** Holds for messages that are being made and calls that run: all of their text is in memory. */
export function momentOf({ lastSeq, entries }: SessionLog): LogMoment {
  const deltas = entries.flatMap((entry) => ("delta" in entry ? [entry.delta] : []));
  return {
    lastSeq,
    said(targetId, kind) {
      const mine = deltas.filter((delta) => targetOf(delta) === targetId && delta.kind === kind);
      return mine.map(({ text }) => text).join("");
    },
    printed: (callId) =>
      deltas
        .filter((delta) => targetOf(delta) === callId)
        .map(({ text }) => text)
        .join(""),
  };
}

/** The place in `entries` of the first one after `seq`. */
export function firstAfter(entries: readonly LogEntry[], seq: number): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((entries[middle]?.seq ?? Infinity) <= seq) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Joins neighbouring deltas of one part into one that carries all their text and the last one's number. */
export function mergeDeltas(entries: readonly LogEntry[]): LogEntry[] {
  const merged: LogEntry[] = [];
  for (const entry of entries) {
    const last = merged.at(-1);
    const joined = last === undefined ? undefined : join(last, entry);
    if (joined === undefined) merged.push(entry);
    else merged[merged.length - 1] = joined;
  }
  return merged;
}

function join(a: LogEntry, b: LogEntry): LoggedDelta | undefined {
  if (!("delta" in a) || !("delta" in b)) return undefined;
  if (!fitsBehind(a.delta, b.delta)) return undefined;
  return { ...b, delta: { ...b.delta, text: a.delta.text + b.delta.text } };
}

/** Whether two deltas can be one. */
function fitsBehind(a: Delta, b: Delta): boolean {
  return a.kind === b.kind && targetOf(a) === targetOf(b) && a.text.length + b.text.length <= MAX_DELTA_CHARS;
}
