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
  const { sessionId, afterSeq, signal, toResponse, isLast = () => false } = options;
  const pages = follow(deps.log, { sessionId, afterSeq, signal, clock: deps.clock });
  let entries: readonly LogEntry[] = [];
  let position = 0;
  let isOver = false;

  async function end(): Promise<IteratorResult<T>> {
    isOver = true;
    await pages.return(undefined);
    return { done: true, value: undefined };
  }

  async function nextPage(): Promise<IteratorResult<T>> {
    const { value: followed } = await pages.next();
    if (followed === undefined) return end();
    if ("checkpoint" in followed) {
      const { lastSeq, caughtUp } = followed.checkpoint;
      const values = { lastSeq: BigInt(lastSeq), caughtUp, logEpoch: deps.logEpoch };
      return { done: false, value: toResponse({ checkpoint: create(CheckpointSchema, values) }) };
    }
    entries = followed.entries;
    position = 0;
    return next();
  }

  function next(): Promise<IteratorResult<T>> {
    if (isOver) return end();
    const entry = entries[position++];
    if (entry === undefined) return nextPage();
    isOver = isLast(entry);
    return Promise.resolve({ done: false, value: toResponse({ entry }) });
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
