import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Event } from "../../gen/ts/parley/v1/event_pb.ts";
import type { CheckpointSchema } from "../../gen/ts/parley/v1/message_service_pb.ts";
import type { Clock } from "../clock.ts";
import type { LogEntry } from "../event/event.ts";
import type { EventLog } from "../event/event-log.ts";
import { follow } from "../event/follow.ts";
import { entryToProto } from "./event-codec.ts";

export interface WatchDeps {
  readonly log: EventLog;
  readonly clock: Clock;
  readonly logEpoch: string;
}

/** An event, or where the stream is. */
export type Watched =
  | { readonly case: "event"; readonly value: Event }
  | { readonly case: "checkpoint"; readonly value: MessageInitShape<typeof CheckpointSchema> };

/** Follows a session's log and turns it into what clients see. Ends only by throwing, as `follow` does. */
export async function* watch(
  deps: WatchDeps,
  where: { readonly sessionId: string; readonly afterSeq: number },
  signal: AbortSignal,
): AsyncGenerator<Watched> {
  for await (const followed of follow(deps.log, { ...where, signal, clock: deps.clock })) {
    if ("checkpoint" in followed) {
      const { lastSeq, caughtUp } = followed.checkpoint;
      yield { case: "checkpoint", value: { lastSeq: BigInt(lastSeq), caughtUp, logEpoch: deps.logEpoch } };
    } else {
      for (const entry of followed.entries) yield { case: "event", value: eventOf(entry) };
    }
  }
}

/** A thousand readers of one entry share its event: it is made once. */
const events = new WeakMap<LogEntry, Event>();

function eventOf(entry: LogEntry): Event {
  let event = events.get(entry);
  if (event === undefined) {
    event = entryToProto(entry);
    events.set(entry, event);
  }
  return event;
}
