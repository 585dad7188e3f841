import type { Clock } from "../clock.ts";
import { DomainError } from "../errors.ts";
import type { LogEntry } from "./event.ts";
import type { EventLog } from "./event-log.ts";
import { createDoorbell, HEARTBEAT_MS } from "./doorbell.ts";

/** Where a reader is. */
export interface FollowCheckpoint {
  readonly lastSeq: number;
  readonly caughtUp: boolean;
}

/** A run of entries, or where the reader is. */
export type Followed = { readonly entries: readonly LogEntry[] } | { readonly checkpoint: FollowCheckpoint };

export interface FollowOptions {
  readonly sessionId: string;
  /** The last number the reader has; 0 = none. */
  readonly afterSeq: number;
  readonly signal: AbortSignal;
  readonly clock: Clock;
}

/**
 * Reads a log from a number on, for ever: a checkpoint at once, what is stored, then what comes. It is a cursor, not a
 * queue: a slow reader slows only itself. Ends by throwing: `signal.reason`, `SEQ_AHEAD`, `SESSION_NOT_FOUND`,
 * `SESSION_DELETED`, `ENGINE_STOPPING`.
 */
export async function* follow(log: EventLog, options: FollowOptions): AsyncGenerator<Followed, undefined> {
  const { sessionId, afterSeq, signal, clock } = options;
  const doorbell = createDoorbell(signal, clock);
  const unlisten = await log.listen(sessionId, doorbell);
  try {
    const target = await log.end(sessionId);
    if (afterSeq > target) throw seqAhead(sessionId, afterSeq, target);
    let cursor = afterSeq;
    let caughtUp = cursor === target;
    yield { checkpoint: { lastSeq: target, caughtUp } };
    for (;;) {
      doorbell.check();
      const page = await log.readAfter(sessionId, cursor);
      const moved = page.cursor > cursor;
      cursor = page.cursor;
      if (page.entries.length > 0) yield { entries: page.entries };
      if (!caughtUp && (cursor >= target || !moved)) {
        caughtUp = true;
        yield { checkpoint: { lastSeq: await log.end(sessionId), caughtUp } };
      }
      if (moved) continue;
      const rang = await doorbell.wait(HEARTBEAT_MS);
      if (!rang) yield { checkpoint: { lastSeq: await log.end(sessionId), caughtUp } };
    }
  } finally {
    unlisten();
    doorbell.close();
  }
}

function seqAhead(sessionId: string, afterSeq: number, lastSeq: number): DomainError {
  return new DomainError(
    "out_of_range",
    "SEQ_AHEAD",
    `after_seq ${afterSeq} is beyond the end of the log of session ${sessionId}, ${lastSeq}; watch again from 0`,
    { session_id: sessionId, last_seq: String(lastSeq) },
  );
}
