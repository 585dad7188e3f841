import { type Client as ServiceClient, Code, ConnectError } from "@connectrpc/connect";
import type { Event } from "../../gen/ts/parley/v1/event_pb.ts";
import type { MessageService } from "../../gen/ts/parley/v1/message_service_pb.ts";
import { type Clock, delay, systemClock } from "../clock.ts";
import { backoff } from "./backoff.ts";
import { isTransient, reasonOf, retryDelayOf } from "./reason.ts";
import { type Cursor, type WatchItem, watchOnce } from "./watch-once.ts";

/** A connection that lived this long was a good one: the next failure is the first again. */
const GOOD_AFTER_MS = 5_000;

export type FollowItem =
  /** A fact, once, in the order of `seq`. */
  | { readonly kind: "event"; readonly event: Event }
  /** Everything that was in the log when the connection was made has been given; comes again after each reconnect. */
  | { readonly kind: "caught_up"; readonly lastSeq: bigint; readonly logEpoch: string }
  /** The log is another one than before (the store was restored): what follows is all of it, from the beginning. */
  | { readonly kind: "reset"; readonly reason: "LOG_CHANGED" | "SEQ_AHEAD" };

export type FollowState =
  | { readonly kind: "live" }
  /** The engine is away; tried again after `delayMs`. `failures` counts from 1. */
  | { readonly kind: "waiting"; readonly delayMs: number; readonly failures: number; readonly error: unknown };

export interface FollowOptions {
  readonly sessionId: string;
  /** The last `seq` that is known; absent = 0, the whole log. */
  readonly afterSeq?: bigint | undefined;
  /** The `logEpoch` that `afterSeq` was read with; absent = not checked. */
  readonly logEpoch?: string | undefined;
  /** Ends the following, without an error. */
  readonly signal?: AbortSignal | undefined;
  /** Told whether the engine can be heard. */
  readonly onState?: ((state: FollowState) => void) | undefined;
  readonly clock?: Clock;
  /** From 0 to 1. */
  readonly random?: () => number;
}

/**
 * Follows a session over lost connections and restarts of the engine: each event once, none lost, until `signal` is
 * aborted. Throws what trying again does not mend, such as NOT_FOUND `SESSION_DELETED` or UNAUTHENTICATED.
 */
export async function* followSession(
  client: { readonly messages: ServiceClient<typeof MessageService> },
  options: FollowOptions,
): AsyncGenerator<FollowItem, void, undefined> {
  const { sessionId, signal, onState, clock = systemClock, random = Math.random } = options;
  let position: Position = { afterSeq: options.afterSeq ?? 0n, logEpoch: options.logEpoch };
  let failures = 0;
  for (;;) {
    const startedAt = clock.monotonic();
    let isLive = false;
    let hasMoved = false;
    let isCaughtUp = false;
    let failure: unknown = new ConnectError("the engine ended the stream", Code.Unavailable);
    try {
      for await (const item of watchOnce(client.messages, { sessionId, ...position }, signal, clock)) {
        if (!isLive) onState?.({ kind: "live" });
        isLive = true;
        const from = position;
        position = advance(from, item);
        if (item.kind === "event") {
          if (position === from) continue;
          hasMoved = true;
          yield item;
        } else if (item.checkpoint.caughtUp && !isCaughtUp) {
          isCaughtUp = true;
          yield { kind: "caught_up", lastSeq: item.checkpoint.lastSeq, logEpoch: item.checkpoint.logEpoch };
        }
      }
    } catch (error) {
      failure = error;
    }
    if (signal?.aborted === true) return;
    const reset = resetReason(failure, position);
    if (reset !== undefined) {
      position = { afterSeq: 0n, logEpoch: undefined };
      yield { kind: "reset", reason: reset };
      continue;
    }
    if (!isTransient(failure)) throw failure;
    failures = hasMoved || clock.monotonic() - startedAt >= GOOD_AFTER_MS ? 1 : failures + 1;
    const delayMs = Math.max(backoff(failures - 1, random), retryDelayOf(failure));
    onState?.({ kind: "waiting", delayMs, failures, error: failure });
    if (!(await waited(clock, delayMs, signal))) return;
  }
}

type Position = Omit<Cursor, "sessionId">;

/** Where the log was read to after this item; the same position where the item was known. */
function advance(position: Position, item: WatchItem): Position {
  if (item.kind === "event") {
    return item.event.seq > position.afterSeq ? { ...position, afterSeq: item.event.seq } : position;
  }
  const { logEpoch } = item.checkpoint;
  if (position.logEpoch !== undefined && position.logEpoch !== logEpoch) throw new OtherLog();
  return { ...position, logEpoch };
}

/** An engine that does not compare epochs itself answers with one that is not ours. */
class OtherLog extends Error {}

function resetReason(error: unknown, { afterSeq, logEpoch }: Position): "LOG_CHANGED" | "SEQ_AHEAD" | undefined {
  // From the beginning of whatever log there is, nothing can be ahead or changed: starting over again would never end.
  if (afterSeq === 0n && logEpoch === undefined) return undefined;
  if (error instanceof OtherLog) return "LOG_CHANGED";
  const reason = reasonOf(error)?.reason;
  return reason === "LOG_CHANGED" || reason === "SEQ_AHEAD" ? reason : undefined;
}

/** False where the signal ended the wait. */
async function waited(clock: Clock, delayMs: number, signal: AbortSignal | undefined): Promise<boolean> {
  try {
    await delay(clock, delayMs, signal ?? new AbortController().signal);
    return true;
  } catch {
    return false;
  }
}
