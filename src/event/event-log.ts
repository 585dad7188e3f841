import { systemClock, type Clock } from "../clock.ts";
import type { Database } from "../store/database.ts";
import { createDeltaTable } from "./delta-table.ts";
import type { EncodePayload, MessageDelta, OutputDelta } from "./event.ts";
import { readPage, type Page } from "./log-reader.ts";
import { createLogWriter, type Append, type Appended } from "./log-writer.ts";
import { momentOf, type Listener, type LogMoment } from "./session-log.ts";
import { createSessionLogs, sessionDeleted, sessionNotFound } from "./session-logs.ts";

/**
 * The only writer of session state and the only source of its numbers. A number is published after the commit that makes
 * its fact true; one that was not stored is given out again, so there is no gap.
 */
export interface EventLog {
  /** Records facts with their changes of state, in one transaction. Rejects with DomainError `SESSION_NOT_FOUND`, or `ClaimLost`. */
  append(sessionId: string, append: Append): Promise<Appended>;
  /**
   * Adds text to a message that is being made, whose first piece an append has brought; stored and shown with the next
   * commit. Throws where the disk refuses text.
   */
  addDelta(sessionId: string, turnId: string, delta: MessageDelta): void;
  /**
   * Adds what a call that runs has printed; stored and shown with the next commit. Resolves when more may come. Rejects where
   * the disk refuses it. Nothing may be added to a call that is over.
   */
  addOutput(sessionId: string, turnId: string, delta: OutputDelta): Promise<void>;
  /** The end of a session's log, deltas included. Rejects with DomainError `SESSION_NOT_FOUND`. */
  end(sessionId: string): Promise<number>;
  /**
   * What memory holds of a log in this moment, with the text so far of what is being made; undefined where it holds nothing: the
   * log's end is then the stored one.
   */
  look(sessionId: string): LogMoment | undefined;
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
  const logs = createSessionLogs(db);
  const deltaTable = createDeltaTable(db, clock);
  const writer = createLogWriter({ db, encode, clock, logs, deltaTable });
  let stopped: Error | undefined;

  return {
    append: (sessionId, append) => logs.use(sessionId, (log) => writer.append(log, append)),
    addDelta(sessionId, turnId, delta) {
      const log = logs.find(sessionId);
      if (log === undefined) throw sessionNotFound(sessionId);
      writer.addDelta(log, turnId, delta);
    },
    addOutput: (sessionId, turnId, delta) =>
      logs.use(sessionId, (log) => {
        writer.addDelta(log, turnId, delta);
        return writer.whenLittleWaits(log);
      }),
    end: (sessionId) => logs.use(sessionId, (log) => log.lastSeq),
    look(sessionId) {
      const log = logs.find(sessionId);
      return log && momentOf(log);
    },
    listen: (sessionId, listener) =>
      logs.use(sessionId, (log) => {
        if (stopped !== undefined) throw stopped;
        log.listeners.add(listener);
        return () => {
          log.listeners.delete(listener);
          logs.forgetIfIdle(log);
        };
      }),
    readAfter: (sessionId, cursor) => logs.use(sessionId, (log) => readPage(db, log, cursor)),
    remove(sessionId) {
      const log = logs.find(sessionId);
      if (log === undefined) return;
      const deleted = sessionDeleted(sessionId);
      writer.abandon(log, deleted);
      for (const listener of log.listeners) listener.fail(deleted);
      logs.drop(sessionId);
    },
    readerCount: () => [...logs.all()].reduce((count, log) => count + log.listeners.size, 0),
    stopReaders(error) {
      stopped = error;
      for (const log of logs.all()) for (const listener of log.listeners) listener.fail(error);
    },
    close: async () => {
      writer.close();
      await deltaTable.close();
    },
  };
}
