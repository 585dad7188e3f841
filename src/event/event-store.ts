import type { SqlValue, Statement } from "../store/database.ts";
import { insertRows } from "../store/insert-rows.ts";
import type { LoggedEvent } from "./event.ts";
import type { SeqRange } from "./seq-range.ts";

export interface LogEndRow {
  readonly key: number;
  readonly last_seq: number;
}

export interface EventRow {
  readonly seq: number;
  readonly create_time_ms: number;
  readonly turn_id: string;
  readonly actor: string;
  readonly payload: Uint8Array;
}

export function selectLogEnd(sessionId: string): Statement {
  return { sql: "SELECT key, last_seq FROM sessions WHERE id = ?", params: [sessionId] };
}

/** Moves the end of a log on. Its claim is lost where somebody else wrote to it, or it is gone. */
export function setLogEnd(sessionKey: number, before: number, after: number): Statement {
  return {
    sql: "UPDATE sessions SET last_seq = ? WHERE key = ? AND last_seq = ?",
    params: [after, sessionKey, before],
    claim: "log end",
  };
}

const EVENTS = "events (session_key, seq, create_time_ms, turn_id, actor, payload)";

export function insertEvent(sessionKey: number, event: LoggedEvent): Statement {
  return { sql: `INSERT INTO ${EVENTS} VALUES (?, ?, ?, ?, ?, ?)`, params: rowOf(sessionKey, event) };
}

/** Several at once, of any sessions. */
export function insertEvents(
  events: readonly { readonly sessionKey: number; readonly event: LoggedEvent }[],
): Statement[] {
  return insertRows(
    EVENTS,
    events.map(({ sessionKey, event }) => rowOf(sessionKey, event)),
  );
}

function rowOf(sessionKey: number, { seq, createTimeMs, turnId, actor, payload }: LoggedEvent): SqlValue[] {
  return [sessionKey, seq, createTimeMs, turnId, actor, payload];
}

export interface RangeRow {
  readonly from_seq: number;
  readonly to_seq: number;
}

/** Takes events out of a log: from the commit on nobody reads them, though their rows go later. */
export function insertRemovedRange(sessionKey: number, { from, to }: SeqRange): Statement {
  return {
    sql: `INSERT INTO removed_ranges (session_key, from_seq, to_seq) VALUES (?, ?, ?)
      ON CONFLICT (session_key, from_seq) DO UPDATE SET to_seq = excluded.to_seq`,
    params: [sessionKey, from, to],
  };
}

export function selectRemovedRanges(sessionKey: number): Statement {
  return { sql: "SELECT from_seq, to_seq FROM removed_ranges WHERE session_key = ?", params: [sessionKey] };
}

/** Events with `after` < seq <= `end`, in order. */
export function selectEvents(sessionKey: number, after: number, end: number, limit: number): Statement {
  return {
    sql: `SELECT seq, create_time_ms, turn_id, actor, payload FROM events
      WHERE session_key = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?`,
    params: [sessionKey, after, end, limit],
  };
}
