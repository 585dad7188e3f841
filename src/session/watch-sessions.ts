import type { Clock } from "../clock.ts";
import { createDoorbell, HEARTBEAT_MS, type Doorbell } from "../event/doorbell.ts";
import type { Database } from "../store/database.ts";
import { listSessions, type SessionFilter, type SessionPlace } from "./list-sessions.ts";
import type { SessionChange } from "./session-changes.ts";
import type { SessionFeed } from "./session-feed.ts";
import type { StoredSession } from "./session-store.ts";

/** What a watcher is told, in order. */
export type Watched =
  | { readonly kind: "session"; readonly session: StoredSession }
  | { readonly kind: "gone"; readonly id: string }
  /** All that there were have been told. Comes again after each silence. */
  | { readonly kind: "caught_up"; readonly hasMore: boolean };

export interface WatchSessionsDeps {
  readonly db: Database;
  readonly feed: SessionFeed;
  readonly clock: Clock;
}

export interface WatchSessions {
  /** Its `query` must be empty: whether a title has some words is only known to the index. */
  readonly filter: SessionFilter;
  /** How many to begin with at most. */
  readonly limit: number;
  readonly signal: AbortSignal;
}

/** How many are read and handed on at once at the beginning. */
const PAGE_SESSIONS = 200;
const PAGE_BYTES = 128 * 1024;

/**
 * The newest sessions that match, then for ever each that changes, whole, and the ids of those that are gone or match no
 * longer. A cursor, not a queue: who is behind gets only the last of several changes of a session, and costs nothing
 * meanwhile. Ends by throwing: `signal.reason`, `WATCH_BEHIND`, `ENGINE_STOPPING`.
 */
export async function* watchSessions(
  { db, feed, clock }: WatchSessionsDeps,
  { filter, limit, signal }: WatchSessions,
): AsyncGenerator<readonly Watched[], never> {
  const doorbell = createDoorbell(signal, clock);
  const unlisten = feed.listen(doorbell);
  try {
    // Before the list is read: what changes meanwhile comes again after it.
    const { revision, newestKey } = await feed.position();
    const picture = createPicture(filter);
    const hasMore = yield* tellNewest(db, filter, limit, picture, doorbell);
    if (hasMore) picture.mayKnow(newestKey);
    const caughtUp = [{ kind: "caught_up", hasMore }] as const;
    yield caughtUp;
    let cursor = revision;
    let toldMs = clock.monotonic();
    for (;;) {
      doorbell.check();
      const page = await feed.readAfter(cursor);
      cursor = page.cursor;
      const told = page.changes.flatMap((change) => picture.see(change));
      if (told.length > 0) {
        yield told;
        toldMs = clock.monotonic();
      }
      if (page.hasMore) continue;
      // Changes of sessions that do not match are silence, too.
      const leftMs = toldMs + HEARTBEAT_MS - clock.monotonic();
      if (leftMs > 0 && (await doorbell.wait(leftMs))) continue;
      yield caughtUp;
      toldMs = clock.monotonic();
    }
  } finally {
    unlisten();
    doorbell.close();
  }
}

/** True: there are more than that. */
async function* tellNewest(
  db: Database,
  filter: SessionFilter,
  limit: number,
  picture: Picture,
  doorbell: Doorbell,
): AsyncGenerator<readonly Watched[], boolean> {
  let after: SessionPlace | undefined;
  for (let left = limit; ;) {
    doorbell.check();
    const wanted = Math.max(1, Math.min(left, PAGE_SESSIONS));
    const list = { filter, order: "create_desc", after, limit: wanted, maxBytes: PAGE_BYTES } as const;
    const page = await listSessions(db, list);
    if (page.length === 0) return false;
    if (left === 0) return true;
    yield page.flatMap((session) => picture.show(session));
    left -= page.length;
    after = page.at(-1)?.place;
  }
}

/** Which sessions a watcher knows: so that each is told gone once, and none that it never knew. */
interface Picture {
  show(session: StoredSession): readonly Watched[];
  see(change: SessionChange): readonly Watched[];
  /** It was not shown all that there were: it may know of others up to this key. */
  mayKnow(newestKey: number): void;
}

function createPicture(filter: SessionFilter): Picture {
  const shown = new Set<number>();
  const toldGone = new Set<number>();
  let knownKeys = 0;

  function show(session: StoredSession): readonly Watched[] {
    shown.add(session.key);
    toldGone.delete(session.key);
    return [{ kind: "session", session }];
  }

  function hide(key: number, id: string): readonly Watched[] {
    const mayKnow = shown.delete(key) || (key <= knownKeys && !toldGone.has(key));
    if (!mayKnow) return [];
    if (key <= knownKeys) toldGone.add(key);
    return [{ kind: "gone", id }];
  }

  return {
    show,
    see(change) {
      if (change.kind === "gone") return hide(change.key, change.id);
      const { session } = change;
      return matches(session, filter) ? show(session) : hide(session.key, session.id);
    },
    mayKnow(newestKey) {
      knownKeys = newestKey;
    },
  };
}

function matches(session: StoredSession, { labels, states, starred, workspace, profile }: SessionFilter): boolean {
  return (
    Object.entries(labels).every(([name, value]) => session.labels[name] === value) &&
    (states.length === 0 || states.includes(session.state)) &&
    (starred === undefined || session.starred === starred) &&
    (workspace === "" || session.workspace === workspace) &&
    (profile === "" || session.profile === profile)
  );
}
