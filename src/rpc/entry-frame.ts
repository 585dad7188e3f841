import { create, toJsonString } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { WatchSessionResponseSchema } from "../../gen/ts/parley/v1/message_service_pb.ts";
import type { LogEntry } from "../event/event.ts";
import { encodeEntry, entryToProto } from "./event-codec.ts";

/** How the messages of a stream are encoded. */
export type Encoding = "binary" | "json";

/** Connect, gRPC and gRPC-Web put the same before each message of a stream: a byte of flags and four of its length. */
const PREFIX_BYTES = 5;

const FRAMES: Readonly<Record<Encoding, WeakMap<LogEntry, Buffer>>> = { binary: new WeakMap(), json: new WeakMap() };

/** An entry as a response of `WatchSession` and of `SendMessage`, framed. A thousand readers of one entry share it. */
export function frameOf(entry: LogEntry, encoding: Encoding): Buffer {
  const known = FRAMES[encoding];
  let frame = known.get(entry);
  if (frame === undefined) {
    const message = encoding === "json" ? jsonOf(entry) : binaryOf(entry);
    // Not from the pool: frames are kept as long as their entries, and each would keep a slab of 8 KiB.
    frame = Buffer.allocUnsafeSlow(PREFIX_BYTES + message.length);
    frame[0] = 0;
    frame.writeUInt32BE(message.length, 1);
    frame.set(message, PREFIX_BYTES);
    known.set(entry, frame);
  }
  return frame;
}

/** The bytes of a frame's message. */
export function messageBytes(frame: Buffer): number {
  return frame.length - PREFIX_BYTES;
}

function binaryOf(entry: LogEntry): Uint8Array {
  const { number } = WatchSessionResponseSchema.field.event;
  return new BinaryWriter().tag(number, WireType.LengthDelimited).bytes(encodeEntry(entry)).finish();
}

function jsonOf(entry: LogEntry): Uint8Array {
  const payload = { case: "event", value: entryToProto(entry) } as const;
  return Buffer.from(toJsonString(WatchSessionResponseSchema, create(WatchSessionResponseSchema, { payload })));
}
