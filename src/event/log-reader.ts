import type { Database } from "../store/database.ts";
import type { LogEntry } from "./event.ts";
import { selectEvents, type EventRow } from "./event-store.ts";
import { endBeforeRanges, skipRanges } from "./seq-range.ts";
import { firstAfter, mergeDeltas, type SessionLog } from "./session-log.ts";

/**
 * The most a reader is handed at once, but for one entry that is larger itself: what each of a thousand readers that do not
 * read holds in memory.
 */
const MAX_PAGE_ENTRIES = 512;
const MAX_PAGE_BYTES = 128 * 1024;

/** A piece of a log, and where its reader is now. */
export interface Page {
  readonly entries: readonly LogEntry[];
  readonly cursor: number;
}

/**
 * What comes after `cursor`; the newest from memory, older facts from the store with the deltas that are kept beside them.
 * What was taken out of the log is passed over, whether its rows are gone or not.
 */
export function readPage(db: Database, log: SessionLog, cursor: number): Page | Promise<Page> {
  const start = skipRanges(log.removed, cursor);
  return start < log.eventFloor ? readStored(db, log, start) : readRecent(log, start);
}

function readRecent(log: SessionLog, cursor: number): Page {
  const start = firstAfter(log.entries, cursor);
  const entries = log.entries.slice(start, start + MAX_PAGE_ENTRIES);
  return cutPage(entries.length > 1 ? mergeDeltas(entries) : entries, entries.at(-1)?.seq ?? cursor);
}

async function readStored(db: Database, log: SessionLog, cursor: number): Promise<Page> {
  const { removed } = log;
  const floor = Math.min(log.eventFloor, endBeforeRanges(removed, cursor));
  let bytes = 0;
  const rows = await db.all<EventRow>(selectEvents(log.key, cursor, floor, MAX_PAGE_ENTRIES), (row) => {
    bytes += row.payload.length;
    return bytes >= MAX_PAGE_BYTES;
  });
  // Taken out while the store was read.
  if (log.removed !== removed) return readPage(db, log, cursor);
  const isWhole = rows.length < MAX_PAGE_ENTRIES && bytes < MAX_PAGE_BYTES;
  const end = isWhole ? floor : (rows.at(-1)?.seq ?? floor);
  const events = rows.map(toEntry);
  const deltas = log.entries.filter((entry) => "delta" in entry && entry.seq > cursor && entry.seq <= end);
  if (deltas.length === 0) return { entries: events, cursor: end };
  return cutPage(mergeDeltas([...events, ...deltas].toSorted((a, b) => a.seq - b.seq)), end);
}

/** As many entries as a page holds; at least one where there is one. */
function cutPage(entries: readonly LogEntry[], end: number): Page {
  let bytes = 0;
  for (const [i, entry] of entries.entries()) {
    bytes += "delta" in entry ? entry.delta.text.length : entry.payload.length;
    if (bytes >= MAX_PAGE_BYTES && i + 1 < entries.length)
      return { entries: entries.slice(0, i + 1), cursor: entry.seq };
  }
  return { entries, cursor: end };
}

function toEntry(row: EventRow): LogEntry {
  return {
    seq: row.seq,
    createTimeMs: row.create_time_ms,
    turnId: row.turn_id,
    actor: row.actor,
    payload: row.payload,
  };
}
