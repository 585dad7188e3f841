import type { Clock } from "../clock.ts";
import { createDoorbell, HEARTBEAT_MS } from "./doorbell.ts";
import type { Listener } from "./session-log.ts";

/** One kind of items that somebody watches. A cursor of its own: what it tells is read when it is asked for. */
export interface Topic<T> {
  /** All that there are, in pieces; true: there are more than are told. `check` throws what ended the stream. */
  begin(check: () => void): AsyncGenerator<readonly T[], boolean>;
  /** What has changed since, as much as is read at once. */
  next(): Promise<{ readonly told: readonly T[]; readonly hasMore: boolean }>;
}

/** All items have been told. Comes again after each silence. */
export interface CaughtUp {
  readonly kind: "caught_up";
  readonly hasMore: boolean;
}

export interface WatchTopicsDeps {
  /** Rings when something may have changed. */
  readonly feed: { listen(listener: Listener): () => void };
  readonly clock: Clock;
}

/**
 * The items of some topics, then for ever what becomes of them. Not a queue: who is behind gets only the last of several
 * changes of an item, and costs nothing meanwhile. Ends by throwing: `signal.reason`, `WATCH_BEHIND`, `ENGINE_STOPPING`.
 */
export async function* watchTopics<T>(
  { feed, clock }: WatchTopicsDeps,
  topics: readonly Topic<T>[],
  signal: AbortSignal,
): AsyncGenerator<readonly (T | CaughtUp)[], never> {
  const doorbell = createDoorbell(signal, clock);
  const unlisten = feed.listen(doorbell);
  try {
    let hasMoreItems = false;
    for (const topic of topics) if (yield* topic.begin(doorbell.check)) hasMoreItems = true;
    const caughtUp = [{ kind: "caught_up", hasMore: hasMoreItems }] as const;
    yield caughtUp;
    let toldMs = clock.monotonic();
    for (;;) {
      doorbell.check();
      let isBehind = false;
      for (const topic of topics) {
        const { told, hasMore } = await topic.next();
        if (hasMore) isBehind = true;
        if (told.length === 0) continue;
        yield told;
        toldMs = clock.monotonic();
      }
      if (isBehind) continue;
      // Changes of items that do not match are silence, too.
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
