import type BetterSqlite3 from "better-sqlite3";
import { failed, type Finding, ok, some } from "./finding.ts";

/** What a stored event is, as far as it matters here. */
export type StoredEvent =
  | { readonly kind: "message_completed"; readonly messageId: string }
  /** Pieces of this message or call may follow, which have numbers and are not kept. */
  | { readonly kind: "opened" | "closed"; readonly id: string }
  | { readonly kind: "history_cleared" }
  | { readonly kind: "other" };

/** Reads the bytes of a stored event; throws where they are none. */
export type ReadEvent = (payload: Uint8Array) => StoredEvent;

interface SessionRow {
  readonly key: number;
  readonly id: string;
  readonly last_seq: number;
}

interface EventRow {
  readonly seq: number;
  readonly payload: Uint8Array;
}

/** Reads every event of every session. What is still being removed in the background is not looked at. */
export function checkLogs(db: BetterSqlite3.Database, readEvent: ReadEvent): readonly Finding[] {
  const gaps: string[] = [];
  const messages: string[] = [];
  let events = 0;
  const selectEvents = db.prepare<[number], EventRow>(
    "SELECT seq, payload FROM events WHERE session_key = ? ORDER BY seq",
  );
  const selectRemoved = db.prepare<[number], { from_seq: number; to_seq: number }>(
    "SELECT from_seq, to_seq FROM removed_ranges WHERE session_key = ?",
  );
  const selectMessages = db.prepare<[number], { id: string; seq: number }>(
    "SELECT id, seq FROM messages WHERE session_key = ? AND status <> 'streaming'",
  );
  for (const session of db.prepare<[], SessionRow>("SELECT key, id, last_seq FROM sessions").all()) {
    const removed = selectRemoved.all(session.key);
    const log = readLog(selectEvents.iterate(session.key), readEvent);
    const isKept = (seq: number): boolean => !removed.some(({ from_seq, to_seq }) => seq >= from_seq && seq <= to_seq);
    events += log.count;
    if (log.problem !== undefined) gaps.push(`${session.id}: ${log.problem}`);
    else if (log.lastSeq !== session.last_seq) {
      gaps.push(`${session.id}: its log ends at ${log.lastSeq}, and it says ${session.last_seq}`);
    }
    const stored = selectMessages.all(session.key);
    const known = new Set(stored.map(({ id }) => id));
    for (const { id, seq } of stored) {
      if (isKept(seq) && !log.seqs.has(seq)) messages.push(`${id} has no event ${seq} in ${session.id}`);
    }
    for (const [id, seq] of log.completed) {
      if (isKept(seq) && !known.has(id)) messages.push(`${id}, event ${seq} of ${session.id}, is no message`);
    }
  }
  return [
    gaps.length === 0
      ? ok("logs", `${events.toLocaleString("en-US")} events, none missing`)
      : failed("logs", `${some(gaps)}; bring a backup back with \`parley restore DIR\``),
    messages.length === 0
      ? ok("messages", "every message is in its log, and the other way round")
      : failed("messages", `${some(messages)}; bring a backup back with \`parley restore DIR\``),
  ];
}

interface Log {
  readonly count: number;
  readonly lastSeq: number;
  readonly seqs: ReadonlySet<number>;
  /** Messages that were completed, and where. */
  readonly completed: ReadonlyMap<string, number>;
  readonly problem: string | undefined;
}

/**
 * Numbers may be missing where pieces were: those are dropped once their message or call is whole, so only inside of one. And
 * where history was cleared, which a later event tells.
 */
function readLog(rows: Iterable<EventRow>, readEvent: ReadEvent): Log {
  const seqs = new Set<number>();
  const completed = new Map<string, number>();
  const open = new Set<string>();
  let lastSeq = 0;
  let gap: string | undefined;
  let problem: string | undefined;
  for (const { seq, payload } of rows) {
    if (seq > lastSeq + 1 && open.size === 0) gap ??= `${lastSeq + 1} to ${seq - 1} are missing`;
    lastSeq = seq;
    seqs.add(seq);
    try {
      const event = readEvent(payload);
      if (event.kind === "opened") open.add(event.id);
      if (event.kind === "closed") open.delete(event.id);
      if (event.kind === "message_completed") {
        open.delete(event.messageId);
        completed.set(event.messageId, seq);
      }
      if (event.kind === "history_cleared") gap = undefined;
    } catch (error) {
      problem ??= `event ${seq} cannot be read (${(error as Error).message})`;
    }
  }
  return { count: seqs.size, lastSeq, seqs, completed, problem: problem ?? gap };
}
