import type { Topic } from "../event/watch-topics.ts";
import type { Database } from "../store/database.ts";
import { listRequests, placeOfRequest, type RequestPlace } from "./list-requests.ts";
import { readRevision, type RequestChange, type RequestFeed } from "./request-changes.ts";

/** How many are read and handed on at once at the beginning. */
const PAGE_REQUESTS = 200;
const PAGE_BYTES = 128 * 1024;

export interface WatchRequestsDeps {
  readonly db: Database;
  readonly requestFeed: RequestFeed;
}

/** The open requests, the most urgent first; then each that is opened or claimed, whole, and the ids of those that ended. */
export function requestTopic({ db, requestFeed }: WatchRequestsDeps): Topic<RequestChange> {
  const shown = new Set<number>();
  let cursor = 0;

  /** So that each is told gone once, and none that the watcher never knew. */
  function see(change: RequestChange): readonly RequestChange[] {
    if (change.kind === "request_gone") return shown.delete(change.key) ? [change] : [];
    shown.add(change.request.key);
    return [change];
  }

  return {
    async *begin(check) {
      // Before the list is read: what changes meanwhile comes again after it.
      cursor = await readRevision(db);
      const filter = { sessionKey: undefined, states: ["open"], kinds: [] } as const;
      let after: RequestPlace | undefined;
      for (;;) {
        check();
        const page = await listRequests(db, { filter, after, limit: PAGE_REQUESTS, maxBytes: PAGE_BYTES });
        const last = page.at(-1);
        if (last === undefined) return false;
        yield page.flatMap((request) => see({ kind: "request", request }));
        after = placeOfRequest(last);
      }
    },
    async next() {
      const page = await requestFeed.readAfter(cursor);
      cursor = page.cursor;
      return { told: page.changes.flatMap(see), hasMore: page.hasMore };
    },
  };
}
