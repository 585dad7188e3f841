import { createSharedPages } from "../../event/shared-pages.ts";
import type { Listener } from "../../event/session-log.ts";
import type { Database } from "../../store/database.ts";
import { readChanges, readPosition, type ChangePage } from "../session-changes.ts";

/** The changes of all sessions, for who watches them all; and the bell for who watches whatever has a revision. */
export interface SessionFeed {
  /** Where the changes are now, and the key of the newest session. */
  position(): Promise<{ readonly revision: number; readonly newestKey: number }>;
  /** What has changed after a revision. Throws DomainError `WATCH_BEHIND`. */
  readAfter(revision: number): Promise<ChangePage>;
  /** Registers a listener; the returned function takes it off again. Throws what `stopReaders` was given. */
  listen(listener: Listener): () => void;
  /** How many readers there are. */
  readerCount(): number;
  /** Ends all readers with this error; later ones get it at once. */
  stopReaders(error: Error): void;
  close(): void;
}

export function createSessionFeed(db: Database): SessionFeed {
  const listeners = new Set<Listener>();
  let stopped: Error | undefined;
  const pages = createSharedPages(db, (after) => readChanges(db, after));
  const off = db.onRevision(() => {
    for (const listener of listeners) listener.ring();
  });
  return {
    position: () => readPosition(db),
    readAfter: pages.readAfter,
    listen(listener) {
      if (stopped !== undefined) throw stopped;
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    readerCount: () => listeners.size,
    stopReaders(error) {
      stopped = error;
      for (const listener of listeners) listener.fail(error);
    },
    close() {
      off();
      pages.close();
    },
  };
}
