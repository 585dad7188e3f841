import type { Listener } from "../event/session-log.ts";
import type { Database } from "../store/database.ts";
import { readChanges, readPosition, type ChangePage } from "./session-changes.ts";

/** The changes of all sessions, for who watches them all. */
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
  // Those who keep up read after the same revision: one of them reads for all.
  let last: { readonly after: number; readonly page: Promise<ChangePage> } | undefined;
  const off = db.onRevision(() => {
    last = undefined;
    for (const listener of listeners) listener.ring();
  });
  return {
    position: () => readPosition(db),
    readAfter(after) {
      if (last?.after !== after) last = { after, page: readChanges(db, after) };
      return last.page;
    },
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
    close: off,
  };
}
