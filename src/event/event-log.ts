import { systemClock, type Clock } from "../clock.ts";
import { DomainError } from "../errors.ts";
import { ClaimLost, type Database, type Statement, type Transaction } from "../store/database.ts";
import type { Delta, EncodePayload, EventPayload, LogEntry, LoggedDelta } from "./event.ts";
import { createDeltaTable, type DeltaTable } from "./delta-table.ts";
import { insertEvent, selectEvents, selectLogEnd, setLogEnd, type EventRow, type LogEndRow } from "./event-store.ts";
import {
  addPending,
  createSessionLog,
  dropDeltas,
  firstAfter,
  isForgettable,
  mergeDeltas,
  publish,
  type Listener,
  type SessionLog,
} from "./session-log.ts";

/** How long the deltas of a whole message can still be read, for who reconnects soon. */
const RETAIN_DELTAS_MS = 60_000;

/** The most a reader is handed at once; bounds what one that does not read holds in memory. */
const MAX_PAGE_ENTRIES = 512;
const MAX_PAGE_BYTES = 1024 * 1024;

/** Facts to record together with the change of state that makes them true. */
export interface Append {
  readonly turnId?: string;
  /** The name of the token that causes it; empty = the engine. */
  readonly actor?: string;
  /** In order; those that tell their own number are told it first. */
  readonly events: readonly EventPayload[] | ((firstSeq: number) => readonly EventPayload[]);
  /** The changes of state; told the number of the first event. */
  changes?(firstSeq: number, createTimeMs: number): readonly Statement[];
  /** Text that follows the events in the same commit: the first piece of a message goes out with its start. */
  readonly delta?: Delta;
  /** Stored even where the disk is full. */
  readonly essential?: boolean;
}

/** The number of an append's first event, and its time. */
export interface Appended {
  readonly firstSeq: number;
  readonly createTimeMs: number;
}

/** A piece of a log, and where its reader is now. */
export interface Page {
  readonly entries: readonly LogEntry[];
  readonly cursor: number;
}

/**
 * The only writer of session state and the only source of its numbers. A number is published after the commit that makes
 * its fact true; one that was not stored is given out again, so there is no gap.
 */
export interface EventLog {
  /** Records facts with their changes of state, in one transaction. Rejects with DomainError `SESSION_NOT_FOUND`, or `ClaimLost`. */
  append(sessionId: string, append: Append): Promise<Appended>;
  /** Adds text to a message that is being made; stored and shown with the next commit. Throws where the disk refuses text. */
  addDelta(sessionId: string, turnId: string, delta: Delta): void;
  /** The end of a session's log, deltas included. Rejects with DomainError `SESSION_NOT_FOUND`. */
  end(sessionId: string): Promise<number>;
  /** Registers a listener; the returned function takes it off again. */
  listen(sessionId: string, listener: Listener): Promise<() => void>;
  /** What comes after `cursor`: at once, empty when there is nothing. */
  readAfter(sessionId: string, cursor: number): Promise<Page>;
  /** Ends a removed session's readers. */
  remove(sessionId: string): void;
  /** How many readers there are. */
  readerCount(): number;
  /** Ends all readers with this error; later ones get it at once. */
  stopReaders(error: Error): void;
  /** Stops its timers and removes the text of whole messages from the store. */
  close(): Promise<void>;
}

export function createEventLog(db: Database, encode: EncodePayload, clock: Clock = systemClock): EventLog {
  const logs = new Map<string, SessionLog>();
  const loading = new Map<string, Promise<void>>();
  const withPending = new Set<SessionLog>();
  const deltaTable: DeltaTable = createDeltaTable(db, clock);
  const retirements = new Set<() => void>();
  let pendingBytes = 0;
  let stopped: Error | undefined;

  db.defer({ collect: collectDeltas });

  async function load(sessionId: string): Promise<void> {
    const row = await db.get<LogEndRow>(selectLogEnd(sessionId));
    if (row === undefined) throw sessionNotFound(sessionId);
    logs.set(sessionId, createSessionLog(sessionId, row.key, row.last_seq));
  }

  /** Does something with a session's log while it is known: there is never a second one of the same session. */
  async function withLog<T>(sessionId: string, use: (log: SessionLog) => T): Promise<Awaited<T>> {
    for (;;) {
      const log = logs.get(sessionId);
      if (log !== undefined) return await use(log);
      let promise = loading.get(sessionId);
      if (promise === undefined) {
        promise = load(sessionId).finally(() => loading.delete(sessionId));
        loading.set(sessionId, promise);
      }
      await promise;
    }
  }

  function forgetIfIdle(log: SessionLog): void {
    if (isForgettable(log)) logs.delete(log.id);
  }

  /** What all sessions' models have said since the last commit; a session that is writing keeps its own until that is done. */
  function collectDeltas(): readonly Transaction[] {
    const transactions: Transaction[] = [];
    for (const log of withPending) {
      if (log.isWriting) continue;
      const { statements, settle } = takeDeltas(log);
      log.isWriting = true;
      transactions.push({
        statements,
        settle(error) {
          settle(error);
          log.isWriting = false;
          pump(log);
        },
      });
    }
    return transactions;
  }

  /** Numbers what waits of one session and makes it a transaction. */
  function takeDeltas(log: SessionLog): Transaction {
    const taken = log.pending;
    log.pending = [];
    withPending.delete(log);
    const createTimeMs = clock.now();
    const entries: LoggedDelta[] = [];
    const statements: Statement[] = [];
    for (const [i, { kind, messageId, turnId, text }] of taken.entries()) {
      const entry = { seq: log.lastSeq + 1 + i, createTimeMs, turnId, delta: { kind, messageId, text } };
      entries.push(entry);
      statements.push(deltaTable.insert(log.key, entry));
      pendingBytes -= text.length;
    }
    return {
      statements,
      settle(error) {
        if (error === undefined) publish(log, entries);
        // A removed session's text is nobody's any more.
        if (log.ended !== undefined) for (const { messageId } of taken) deltaTable.complete(messageId);
        if (error === undefined || log.ended !== undefined) return;
        log.deltaError = error;
        log.pending = [...taken, ...log.pending];
        for (const { text } of taken) pendingBytes += text.length;
      },
    };
  }

  /** Lets the next append of a session write, if none does. */
  function pump(log: SessionLog): void {
    if (log.isWriting) return;
    const next = log.queue.shift();
    if (next !== undefined) return next.write();
    if (log.pending.length > 0 && log.deltaError === undefined) {
      withPending.add(log);
      db.requestCommit(pendingBytes);
    } else {
      forgetIfIdle(log);
    }
  }

  /** Text that waits goes first, in the same commit: the numbers of the append count on it. */
  function write(
    log: SessionLog,
    append: Append,
    done: (appended: Appended) => void,
    refuse: (error: Error) => void,
  ): void {
    const deltas = log.pending.length > 0 ? takeDeltas(log) : undefined;
    log.isWriting = true;
    log.deltaError = undefined;
    const essential = append.essential ?? false;
    const { statements, entries, events, firstSeq, createTimeMs } = prepare(
      log,
      append,
      deltas?.statements.length ?? 0,
    );
    if (deltas !== undefined) db.enqueue({ ...deltas, essential });
    db.enqueue({
      statements,
      essential,
      settle(error) {
        log.isWriting = false;
        if (error === undefined) {
          log.lastEventSeq = firstSeq + events.length - 1;
          publish(log, entries);
          retireCompleted(log, events);
          done({ firstSeq, createTimeMs });
        } else {
          refuse(error instanceof ClaimLost && error.claim === "log end" ? sessionNotFound(log.id) : error);
        }
        pump(log);
      },
    });
  }

  /** Numbers an append and turns it into statements and into what readers will see. */
  function prepare(log: SessionLog, append: Append, deltasBefore: number) {
    const createTimeMs = clock.now();
    const firstSeq = log.lastSeq + deltasBefore + 1;
    const { turnId = "", actor = "", delta } = append;
    const events = typeof append.events === "function" ? append.events(firstSeq) : append.events;
    const entries: LogEntry[] = events.map((payload, i) => ({
      seq: firstSeq + i,
      createTimeMs,
      turnId,
      actor,
      payload: encode(payload),
    }));
    const statements: Statement[] = [setLogEnd(log.key, log.lastEventSeq, firstSeq + events.length - 1)];
    for (const entry of entries) if ("payload" in entry) statements.push(insertEvent(log.key, entry));
    statements.push(...(append.changes?.(firstSeq, createTimeMs) ?? []));
    if (delta !== undefined) {
      const entry = { seq: firstSeq + events.length, createTimeMs, turnId, delta };
      entries.push(entry);
      statements.push(deltaTable.insert(log.key, entry));
    }
    return { statements, entries, events, firstSeq, createTimeMs };
  }

  /** The deltas of a message that is whole now are readable for a while, and no longer needed on the disk. */
  function retireCompleted(log: SessionLog, events: readonly EventPayload[]): void {
    for (const event of events) {
      if (event.kind !== "message_completed") continue;
      const messageId = event.message.id;
      deltaTable.complete(messageId);
      if (!log.retained.has(messageId)) continue;
      const cancel = clock.after(RETAIN_DELTAS_MS, () => {
        retirements.delete(cancel);
        dropDeltas(log, messageId);
        forgetIfIdle(log);
      });
      retirements.add(cancel);
    }
  }

  async function readStored(log: SessionLog, cursor: number): Promise<Page> {
    const floor = log.eventFloor;
    let bytes = 0;
    const rows = await db.all<EventRow>(selectEvents(log.key, cursor, floor, MAX_PAGE_ENTRIES), (row) => {
      bytes += row.payload.length;
      return bytes >= MAX_PAGE_BYTES;
    });
    const isWhole = rows.length < MAX_PAGE_ENTRIES && bytes < MAX_PAGE_BYTES;
    const end = isWhole ? floor : (rows.at(-1)?.seq ?? floor);
    const deltas = log.entries.filter((entry) => "delta" in entry && entry.seq > cursor && entry.seq <= end);
    const events = rows.map((row): LogEntry => ({
      seq: row.seq,
      createTimeMs: row.create_time_ms,
      turnId: row.turn_id,
      actor: row.actor,
      payload: row.payload,
    }));
    const entries = deltas.length === 0 ? events : mergeDeltas([...events, ...deltas].sort((a, b) => a.seq - b.seq));
    return { entries, cursor: end };
  }

  return {
    append: (sessionId, append) =>
      withLog(
        sessionId,
        (log) =>
          new Promise<Appended>((resolve, reject) => {
            log.queue.push({ write: () => write(log, append, resolve, reject), refuse: reject });
            pump(log);
          }),
      ),
    addDelta(sessionId, turnId, delta) {
      const log = logs.get(sessionId);
      if (log === undefined) throw sessionNotFound(sessionId);
      if (log.deltaError !== undefined) throw log.deltaError;
      addPending(log, delta, turnId);
      pendingBytes += delta.text.length;
      if (!log.isWriting) {
        withPending.add(log);
        db.requestCommit(pendingBytes);
      }
    },
    end: (sessionId) => withLog(sessionId, (log) => log.lastSeq),
    listen: (sessionId, listener) =>
      withLog(sessionId, (log) => {
        if (stopped !== undefined) throw stopped;
        log.listeners.add(listener);
        return () => {
          log.listeners.delete(listener);
          forgetIfIdle(log);
        };
      }),
    readAfter: (sessionId, cursor) =>
      withLog(sessionId, (log) => (cursor < log.eventFloor ? readStored(log, cursor) : readRecent(log, cursor))),
    remove(sessionId) {
      const log = logs.get(sessionId);
      if (log === undefined) return;
      const deleted = sessionDeleted(sessionId);
      log.ended = deleted;
      for (const { refuse } of log.queue.splice(0)) refuse(deleted);
      for (const listener of log.listeners) listener.fail(deleted);
      withPending.delete(log);
      for (const { text } of log.pending.splice(0)) pendingBytes -= text.length;
      for (const messageId of log.retained) deltaTable.complete(messageId);
      logs.delete(sessionId);
    },
    readerCount: () => [...logs.values()].reduce((count, log) => count + log.listeners.size, 0),
    stopReaders(error) {
      stopped = error;
      for (const log of logs.values()) for (const listener of log.listeners) listener.fail(error);
    },
    close: async () => {
      for (const cancel of retirements) cancel();
      await deltaTable.close();
    },
  };
}

function readRecent(log: SessionLog, cursor: number): Page {
  const start = firstAfter(log.entries, cursor);
  const entries = log.entries.slice(start, start + MAX_PAGE_ENTRIES);
  return { entries: entries.length > 1 ? mergeDeltas(entries) : entries, cursor: entries.at(-1)?.seq ?? cursor };
}

function sessionDeleted(sessionId: string): DomainError {
  return new DomainError("not_found", "SESSION_DELETED", `session ${sessionId} was deleted`, { session_id: sessionId });
}

export function sessionNotFound(sessionId: string): DomainError {
  return new DomainError("not_found", "SESSION_NOT_FOUND", `there is no session ${sessionId}`, {
    session_id: sessionId,
  });
}
