import type { Clock } from "../clock.ts";
import { ClaimLost, type Database, type Statement, type Transaction } from "../store/database.ts";
import type { DeltaTable } from "./delta-table.ts";
import {
  type Delta,
  type EncodePayload,
  type EventPayload,
  type LogEntry,
  type LoggedDelta,
  targetOf,
} from "./event.ts";
import { insertEvent, insertRemovedRange, setLogEnd } from "./event-store.ts";
import type { SeqRange } from "./seq-range.ts";
import { addPending, dropDeltas, publish, removeRanges, type SessionLog } from "./session-log.ts";
import { sessionNotFound, type SessionLogs } from "./session-logs.ts";

/** How long the deltas of a whole message, or of a call that is over, can still be read, for who reconnects soon. */
const RETAIN_DELTAS_MS = 60_000;

/** Who prints faster than the disk takes it waits while so much waits. */
const MAX_WAITING_CHARS = 64 * 1024;

/** Facts to record together with the change of state that makes them true. */
export interface Append {
  readonly turnId?: string;
  /** The name of the token that causes it; empty = the engine. */
  readonly actor?: string;
  /** In order; those that tell their own number are told it first. */
  readonly events: readonly EventPayload[] | ((firstSeq: number) => readonly EventPayload[]);
  /** The changes of state; told the number of the first event. */
  changes?(firstSeq: number, createTimeMs: number): readonly Statement[];
  /** What follows them for another turn: the end of one and the start of the next are one fact. */
  readonly next?: {
    readonly turnId: string;
    readonly actor: string;
    events(firstSeq: number): readonly EventPayload[];
  };
  /** Text that follows the events in the same commit: the first piece of a message goes out with its start. */
  readonly delta?: Delta;
  /** What these events take out of the log before them; nobody reads it from the commit on. */
  removed?(firstSeq: number): readonly SeqRange[];
  /** Stored even where the disk is full. */
  readonly essential?: boolean;
}

/** The number of an append's first event, and its time. */
export interface Appended {
  readonly firstSeq: number;
  readonly createTimeMs: number;
}

/** The one way to write to a log: numbers what is written, in order, and publishes it once it is stored. */
export interface LogWriter {
  append(log: SessionLog, append: Append): Promise<Appended>;
  /** Throws where the disk refused the text before it. */
  addDelta(log: SessionLog, turnId: string, delta: Delta): void;
  /** Resolves once what waits is stored or was refused; at once where little waits. */
  whenLittleWaits(log: SessionLog): Promise<void>;
  /** Refuses what waits of a log that is no more. */
  abandon(log: SessionLog, why: Error): void;
  /** Stops its timers. */
  close(): void;
}

export interface LogWriterDeps {
  readonly db: Database;
  readonly encode: EncodePayload;
  readonly clock: Clock;
  readonly logs: SessionLogs;
  readonly deltaTable: DeltaTable;
}

export function createLogWriter({ db, encode, clock, logs, deltaTable }: LogWriterDeps): LogWriter {
  const withPending = new Set<SessionLog>();
  const retirements = new Set<() => void>();
  let pendingBytes = 0;

  db.defer({ collect: collectDeltas });

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
    for (const [i, { turnId, delta }] of taken.entries()) {
      const entry = { seq: log.lastSeq + 1 + i, createTimeMs, turnId, delta };
      entries.push(entry);
      statements.push(deltaTable.insert(log.key, entry));
      pendingBytes -= delta.text.length;
    }
    return {
      statements,
      settle(error) {
        if (error === undefined) publish(log, entries);
        for (const tell of log.waiters.splice(0)) tell();
        // A removed session's text is nobody's any more.
        if (log.ended !== undefined) for (const { delta } of taken) deltaTable.complete(targetOf(delta));
        if (error === undefined || log.ended !== undefined) return;
        log.deltaError = error;
        log.pending = [...taken, ...log.pending];
        for (const { delta } of taken) pendingBytes += delta.text.length;
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
      logs.forgetIfIdle(log);
    }
  }

  /** Text that waits goes first, in the same commit: the numbers of the append count on it. */
  function write(
    log: SessionLog,
    append: Append,
    done: (appended: Appended) => void,
    refuse: (error: Error) => void,
  ): void {
    const essential = append.essential ?? false;
    let prepared: ReturnType<typeof prepare>;
    try {
      prepared = prepare(log, append, log.pending.length);
    } catch (error) {
      // What cannot be encoded is refused alone: nothing is numbered yet, and the session goes on.
      refuse(error as Error);
      return pump(log);
    }
    const { statements, entries, events, removed, firstSeq, createTimeMs } = prepared;
    const deltas = log.pending.length > 0 ? takeDeltas(log) : undefined;
    log.isWriting = true;
    log.deltaError = undefined;
    if (deltas !== undefined) db.enqueue({ ...deltas, essential });
    db.enqueue({
      statements,
      essential,
      settle(error) {
        log.isWriting = false;
        if (error === undefined) {
          log.lastEventSeq = firstSeq + events.length - 1;
          removeRanges(log, removed);
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
    const { turnId = "", actor = "", delta, next } = append;
    const own = typeof append.events === "function" ? append.events(firstSeq) : append.events;
    const events = [...own, ...(next?.events(firstSeq + own.length) ?? [])];
    const entries: LogEntry[] = events.map((payload, i) => ({
      seq: firstSeq + i,
      createTimeMs,
      turnId: i < own.length ? turnId : (next?.turnId ?? ""),
      actor: i < own.length ? actor : (next?.actor ?? ""),
      payload: encode(payload),
    }));
    const statements: Statement[] = [setLogEnd(log.key, log.lastEventSeq, firstSeq + events.length - 1)];
    for (const entry of entries) if ("payload" in entry) statements.push(insertEvent(log.key, entry));
    statements.push(...(append.changes?.(firstSeq, createTimeMs) ?? []));
    const removed = append.removed?.(firstSeq) ?? [];
    for (const range of removed) statements.push(insertRemovedRange(log.key, range));
    if (delta !== undefined) {
      const entry = { seq: firstSeq + events.length, createTimeMs, turnId, delta };
      entries.push(entry);
      statements.push(deltaTable.insert(log.key, entry));
    }
    return { statements, entries, events, removed, firstSeq, createTimeMs };
  }

  /** The deltas of a message that is whole now, or of a call that is over, are readable for a while, and no longer needed on the disk. */
  function retireCompleted(log: SessionLog, events: readonly EventPayload[]): void {
    for (const event of events) {
      const targetId = completedBy(event);
      if (targetId === undefined) continue;
      deltaTable.complete(targetId);
      if (!log.retained.has(targetId)) continue;
      const cancel = clock.after(RETAIN_DELTAS_MS, () => {
        retirements.delete(cancel);
        dropDeltas(log, targetId);
        logs.forgetIfIdle(log);
      });
      retirements.add(cancel);
    }
  }

  return {
    append: (log, append) =>
      new Promise((resolve, reject) => {
        log.queue.push({ write: () => write(log, append, resolve, reject), refuse: reject });
        pump(log);
      }),
    addDelta(log, turnId, delta) {
      if (log.deltaError !== undefined) throw log.deltaError;
      addPending(log, delta, turnId);
      pendingBytes += delta.text.length;
      if (log.isWriting) return;
      withPending.add(log);
      db.requestCommit(pendingBytes);
    },
    whenLittleWaits: async (log) => {
      const waiting = log.pending.reduce((sum, { delta }) => sum + delta.text.length, 0);
      if (waiting >= MAX_WAITING_CHARS) await new Promise<void>((resolve) => log.waiters.push(resolve));
    },
    abandon(log, why) {
      log.ended = why;
      for (const { refuse } of log.queue.splice(0)) refuse(why);
      for (const { delta } of log.pending.splice(0)) pendingBytes -= delta.text.length;
      for (const tell of log.waiters.splice(0)) tell();
      for (const targetId of log.retained) deltaTable.complete(targetId);
      withPending.delete(log);
    },
    close() {
      for (const cancel of retirements) cancel();
    },
  };
}

/** What is whole with an event. */
function completedBy(event: EventPayload): string | undefined {
  if (event.kind === "message_completed") return event.message.id;
  return event.kind === "tool_call_ended" ? event.callId : undefined;
}
