import type { Topic } from "../../event/watch-topics.ts";
import type { Database } from "../../store/database.ts";
import { listSessions, type SessionFilter, type SessionPlace } from "./list-sessions.ts";
import type { SessionChange } from "../session-changes.ts";
import type { SessionFeed } from "./session-feed.ts";
import type { StoredSession } from "../session-store.ts";

/** What a watcher is told, in order. */
export type WatchedSession =
  | { readonly kind: "session"; readonly session: StoredSession }
  | { readonly kind: "gone"; readonly id: string };

export interface WatchSessionsDeps {
  readonly db: Database;
  readonly feed: SessionFeed;
}

export interface WatchSessions {
  /** Its `query` must be empty: whether a title has some words is only known to the index. */
  readonly filter: SessionFilter;
  /** How many to begin with at most. */
  readonly limit: number;
}

/** How many are read and handed on at once at the beginning. */
const PAGE_SESSIONS = 200;
const PAGE_BYTES = 128 * 1024;

/** The newest sessions that match, then each that changes, whole, and the ids of those that are gone or match no longer. */
export function sessionTopic({ db, feed }: WatchSessionsDeps, { filter, limit }: WatchSessions): Topic<WatchedSession> {
  const picture = createPicture(filter);
  let cursor = 0;
  return {
    async *begin(check) {
      // Before the list is read: what changes meanwhile comes again after it.
      const { revision, newestKey } = await feed.position();
      cursor = revision;
      const hasMore = yield* tellNewest(db, filter, limit, picture, check);
      if (hasMore) picture.mayKnow(newestKey);
      return hasMore;
    },
    async next() {
      const page = await feed.readAfter(cursor);
      cursor = page.cursor;
      return { told: page.changes.flatMap((change) => picture.see(change)), hasMore: page.hasMore };
    },
  };
}

/** True: there are more than that. */
async function* tellNewest(
  db: Database,
  filter: SessionFilter,
  limit: number,
  picture: Picture,
  check: () => void,
): AsyncGenerator<readonly WatchedSession[], boolean> {
  let after: SessionPlace | undefined;
  for (let left = limit; ;) {
    check();
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
  show(session: StoredSession): readonly WatchedSession[];
  see(change: SessionChange): readonly WatchedSession[];
  /** It was not shown all that there were: it may know of others up to this key. */
  mayKnow(newestKey: number): void;
}

function createPicture(filter: SessionFilter): Picture {
  const shown = new Set<number>();
  const toldGone = new Set<number>();
  let knownKeys = 0;

  function show(session: StoredSession): readonly WatchedSession[] {
    shown.add(session.key);
    toldGone.delete(session.key);
    return [{ kind: "session", session }];
  }

  function hide(key: number, id: string): readonly WatchedSession[] {
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

function matches(
  session: StoredSession,
  { labels, states, starred, workspace, profile, parentSessionId }: SessionFilter,
): boolean {
  return (
    Object.entries(labels).every(([name, value]) => session.labels[name] === value) &&
    (states.length === 0 || states.includes(session.state)) &&
    (starred === undefined || session.starred === starred) &&
    (workspace === "" || session.workspace === workspace) &&
    (parentSessionId === undefined || (session.parent?.sessionId ?? "") === parentSessionId) &&
    (profile === "" || session.profile === profile)
  );
}
