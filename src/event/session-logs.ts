import { DomainError } from "../errors.ts";
import type { Database } from "../store/database.ts";
import { selectLogEnd, selectRemovedRanges, type LogEndRow, type RangeRow } from "./event-store.ts";
import { addRange, type SeqRange } from "./seq-range.ts";
import { createSessionLog, isForgettable, type SessionLog } from "./session-log.ts";

/** The logs that are in memory. There is never a second one of the same session, or numbers would be given out twice. */
export interface SessionLogs {
  /** Does something with a session's log, loaded where it must be. Rejects with DomainError `SESSION_NOT_FOUND`. */
  use<T>(sessionId: string, task: (log: SessionLog) => T | Promise<T>): Promise<T>;
  /** The log, where it is in memory. */
  find(sessionId: string): SessionLog | undefined;
  /** Lets go of a log that nobody needs in memory. */
  forgetIfIdle(log: SessionLog): void;
  drop(sessionId: string): void;
  all(): Iterable<SessionLog>;
}

export function createSessionLogs(db: Database): SessionLogs {
  const logs = new Map<string, SessionLog>();
  const loading = new Map<string, Promise<void>>();

  async function load(sessionId: string): Promise<void> {
    const row = await db.get<LogEndRow>(selectLogEnd(sessionId));
    if (row === undefined) throw sessionNotFound(sessionId);
    const ranges = await db.all<RangeRow>(selectRemovedRanges(row.key));
    const removed = ranges.reduce<SeqRange[]>((all, { from_seq: from, to_seq: to }) => addRange(all, { from, to }), []);
    logs.set(sessionId, createSessionLog(sessionId, row.key, row.last_seq, removed));
  }

  function loadOnce(sessionId: string): Promise<void> {
    let promise = loading.get(sessionId);
    if (promise === undefined) {
      promise = load(sessionId).finally(() => loading.delete(sessionId));
      loading.set(sessionId, promise);
    }
    return promise;
  }

  return {
    use: async (sessionId, task) => {
      for (;;) {
        const log = logs.get(sessionId);
        // Looked up and used in one go: between the two it could be forgotten.
        if (log !== undefined) return await task(log);
        await loadOnce(sessionId);
      }
    },
    find: (sessionId) => logs.get(sessionId),
    forgetIfIdle(log) {
      // A timer may hold one that was let go of, and in whose place there is another.
      if (logs.get(log.id) === log && isForgettable(log)) logs.delete(log.id);
    },
    drop: (sessionId) => logs.delete(sessionId),
    all: () => logs.values(),
  };
}

export function sessionNotFound(sessionId: string): DomainError {
  return new DomainError("not_found", "SESSION_NOT_FOUND", `there is no session ${sessionId}`, {
    session_id: sessionId,
  });
}

export function sessionDeleted(sessionId: string): DomainError {
  return new DomainError("not_found", "SESSION_DELETED", `session ${sessionId} was deleted`, { session_id: sessionId });
}
