import type { Client as ServiceClient } from "@connectrpc/connect";
import type { Event } from "../../gen/ts/parley/v1/event_pb.ts";
import type { Checkpoint, MessageService } from "../../gen/ts/parley/v1/message_service_pb.ts";
import type { Clock } from "../clock.ts";
import { guardSilence } from "./silence.ts";

/** Where a log was read to. */
export interface Cursor {
  readonly sessionId: string;
  readonly afterSeq: bigint;
  /** Which log `afterSeq` counts in; undefined = not known yet. */
  readonly logEpoch: string | undefined;
}

export type WatchItem =
  | { readonly kind: "event"; readonly event: Event }
  | { readonly kind: "checkpoint"; readonly checkpoint: Checkpoint };

/** One WatchSession call. Ends when the engine ends it, throws what breaks it, and always tells the engine that it is over. */
export async function* watchOnce(
  messages: ServiceClient<typeof MessageService>,
  { sessionId, afterSeq, logEpoch }: Cursor,
  signal: AbortSignal | undefined,
  clock: Clock,
): AsyncGenerator<WatchItem, void> {
  signal?.throwIfAborted();
  const controller = new AbortController();
  const onAbort = (): void => controller.abort(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  const guard = guardSilence(clock, (error) => controller.abort(error));
  const request = { sessionId, afterSeq, ...(logEpoch === undefined ? {} : { logEpoch }) };
  const stream = messages.watchSession(request, { signal: controller.signal })[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await guard.wait(stream.next());
      if (next.done === true) return;
      const { payload } = next.value;
      if (payload.case === "event") yield { kind: "event", event: payload.value };
      else if (payload.case === "checkpoint") yield { kind: "checkpoint", checkpoint: payload.value };
    }
  } finally {
    guard.close();
    signal?.removeEventListener("abort", onAbort);
    // Leaving a stream alone would leave it open at the engine.
    controller.abort();
  }
}
