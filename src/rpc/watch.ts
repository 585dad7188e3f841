import { create, type UnknownField } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import {
  type Checkpoint,
  CheckpointSchema,
  type SendMessageResponse,
  type WatchSessionResponse,
  WatchSessionResponseSchema,
} from "../../gen/ts/parley/v1/message_service_pb.ts";
import type { Clock } from "../clock.ts";
import type { LogEntry } from "../event/event.ts";
import type { EventLog } from "../event/event-log.ts";
import { follow } from "../event/follow.ts";
import { encodeEntry, entryToProto } from "./event-codec.ts";
import type { ReadyFrames } from "./ready-frames.ts";

export interface WatchDeps {
  readonly log: EventLog;
  readonly clock: Clock;
  readonly logEpoch: string;
}

/** An entry of the log, or where the stream is. */
export type Watched = { readonly entry: LogEntry } | { readonly checkpoint: Checkpoint };

export interface WatchOptions<T> {
  readonly sessionId: string;
  readonly afterSeq: number;
  readonly signal: AbortSignal;
  /** Sends what it can without the framework; absent = all is returned. */
  readonly ready?: ReadyFrames | undefined;
  /** Makes a response of the stream. */
  readonly toResponse: (watched: Watched) => T;
  /** Whether the stream ends with this entry; absent = it never ends by itself. */
  readonly isLast?: (entry: LogEntry) => boolean;
}

/**
 * Follows a session's log. Ends by throwing, as `follow` does, or with the last entry. By hand and not as a generator: a page
 * of a hundred entries is one wait, not a hundred through three generators.
 */
export function watch<T>(deps: WatchDeps, options: WatchOptions<T>): AsyncIterable<T> {
  const { sessionId, afterSeq, signal, ready, toResponse, isLast = () => false } = options;
  const pages = follow(deps.log, { sessionId, afterSeq, signal, clock: deps.clock });
  let entries: readonly LogEntry[] = [];
  let position = 0;
  let isOver = false;

  async function end(): Promise<IteratorResult<T>> {
    isOver = true;
    await pages.return(undefined);
    return { done: true, value: undefined };
  }

  /** What is sent in the framework's way next; all before it is sent by then. */
  async function next(): Promise<IteratorResult<T>> {
    while (!isOver) {
      if (ready !== undefined && position < entries.length) {
        position += await ready.write(entries.slice(position), isLast);
        const sent = entries[position - 1];
        if (sent !== undefined && isLast(sent)) break;
      }
      const entry = entries[position++];
      if (entry !== undefined) {
        isOver = isLast(entry);
        return { done: false, value: toResponse({ entry }) };
      }
      // A reader that waits holds nothing of what it was sent.
      entries = [];
      position = 0;
      const { value: followed } = await pages.next();
      if (followed === undefined) break;
      if ("checkpoint" in followed) {
        const { lastSeq, caughtUp } = followed.checkpoint;
        const values = { lastSeq: BigInt(lastSeq), caughtUp, logEpoch: deps.logEpoch };
        return { done: false, value: toResponse({ checkpoint: create(CheckpointSchema, values) }) };
      }
      ({ entries } = followed);
    }
    return end();
  }

  return { [Symbol.asyncIterator]: () => ({ next, return: end }) };
}

/** The two responses that carry what is watched; their fields are the same. */
type WatchResponse = WatchSessionResponse | SendMessageResponse;

/** Makes the responses of one stream. `contentType` is its request's. */
export function createResponder<T extends WatchResponse>(make: () => T, contentType: string | null) {
  const isJson = contentType?.includes("json") === true;
  return (watched: Watched): T => {
    const response = make();
    if ("entry" in watched && !isJson) response.$unknown = wireOf(watched.entry);
    else response.payload = payloadOf(watched);
    return response;
  };
}

function payloadOf(watched: Watched): WatchResponse["payload"] {
  if ("entry" in watched) return { case: "event", value: entryToProto(watched.entry) };
  return { case: "checkpoint", value: watched.checkpoint };
}

/** A thousand readers of one entry share its bytes: they are made once, and put into each response as a field not to be looked at. */
const wires = new WeakMap<LogEntry, UnknownField[]>();

function wireOf(entry: LogEntry): UnknownField[] {
  let wire = wires.get(entry);
  if (wire === undefined) {
    const data = new BinaryWriter().bytes(encodeEntry(entry)).finish();
    wire = [{ no: WatchSessionResponseSchema.field.event.number, wireType: WireType.LengthDelimited, data }];
    wires.set(entry, wire);
  }
  return wire;
}
