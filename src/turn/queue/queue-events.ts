import type { EventPayload } from "../../event/event.ts";
import type { QueuedMessage } from "./queued-message.ts";

/** A message joined the queue, or changed its kind in it. */
export function queueJoined(...queued: readonly QueuedMessage[]): EventPayload {
  return { kind: "queue_changed", queued, removedIds: [] };
}

/** Messages left the queue: taken up, started, or removed. */
export function queueLeft(...removedIds: readonly string[]): EventPayload {
  return { kind: "queue_changed", queued: [], removedIds };
}
