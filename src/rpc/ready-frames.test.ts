import { create, fromBinary, fromJsonString, toBinary, toJsonString } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import {
  SendMessageResponseSchema,
  WatchSessionResponseSchema,
  type WatchSessionResponse,
} from "../../gen/ts/parley/v1/message_service_pb.ts";
import type { LogEntry } from "../event/event.ts";
import { frameOf } from "./entry-frame.ts";
import { encodePayload } from "./event-codec.ts";
import type { FrameWriter } from "./frame-writer.ts";
import { createReadyFrames } from "./ready-frames.ts";
import { createResponder } from "./watch.ts";

function piece(seq: number, text = "größe 😀"): LogEntry {
  return { seq, createTimeMs: 1_700_000_000_123, turnId: "turn_1", delta: { kind: "text", messageId: "msg_1", text } };
}

function fact(seq: number): LogEntry {
  const payload = encodePayload({ kind: "step_started", step: 2, model: "m" });
  return { seq, createTimeMs: 1_700_000_000_123, turnId: "turn_1", actor: "", payload };
}

const never = (): boolean => false;

/** A connection that takes what it is told to. */
function setUp(encoding: "binary" | "json" = "binary", maxBytes = Infinity) {
  const written: Uint8Array[] = [];
  const connection = { isOpen: true, isFull: false, drain: (): void => undefined };
  const writer: FrameWriter = {
    isOpen: () => connection.isOpen,
    write(frames) {
      written.push(frames);
      return connection.isFull ? new Promise((resolve) => (connection.drain = resolve)) : undefined;
    },
  };
  const call = new AbortController();
  return { ready: createReadyFrames(writer, { encoding, maxBytes, signal: call.signal }), written, connection, call };
}

/** The messages in what was written, each behind its five bytes. */
function messagesIn(written: readonly Uint8Array[]): Buffer[] {
  let rest = Buffer.concat(written);
  const messages: Buffer[] = [];
  while (rest.length > 0) {
    expect(rest[0]).toBe(0);
    const end = 5 + rest.readUInt32BE(1);
    messages.push(rest.subarray(5, end));
    rest = rest.subarray(end);
  }
  return messages;
}

function seqs(written: readonly Uint8Array[]): unknown[] {
  return messagesIn(written).map((bytes) => eventOf(fromBinary(WatchSessionResponseSchema, bytes))?.seq);
}

function eventOf({ payload }: WatchSessionResponse) {
  return payload.case === "event" ? payload.value : undefined;
}

test("frames hold the same bytes as the framework would write, in both encodings and for both streams", () => {
  for (const schema of [WatchSessionResponseSchema, SendMessageResponseSchema]) {
    for (const entry of [piece(1), fact(2), piece(3, "")]) {
      const binary = createResponder(() => create(schema), "application/grpc+proto")({ entry });
      const json = createResponder(() => create(schema), "application/connect+json")({ entry });
      expect(messagesIn([frameOf(entry, "binary")])[0]?.equals(toBinary(schema, binary))).toBe(true);
      expect(messagesIn([frameOf(entry, "json")])[0]?.toString()).toBe(toJsonString(schema, json));
    }
  }
});

test("readers of one entry share its frame", () => {
  const entry = piece(1);
  expect(frameOf(entry, "binary")).toBe(frameOf(entry, "binary"));
  expect(frameOf(entry, "json")).not.toBe(frameOf(entry, "binary"));
});

test("a page goes in one write, in order", async () => {
  const { ready, written } = setUp();
  expect(await ready.write([piece(1), fact(2), piece(3)], never)).toBe(3);
  expect(written).toHaveLength(1);
  expect(seqs(written)).toEqual([1n, 2n, 3n]);
});

test("JSON is framed as well", async () => {
  const { ready, written } = setUp("json");
  expect(await ready.write([piece(1), fact(2)], never)).toBe(2);
  const events = messagesIn(written).map((bytes) =>
    eventOf(fromJsonString(WatchSessionResponseSchema, bytes.toString())),
  );
  expect(events.map((event) => event?.seq)).toEqual([1n, 2n]);
});

test("what the framework may compress is left to it, with all that comes behind", async () => {
  for (const large of [piece(2, "x".repeat(2000)), piece(2, "ü".repeat(600))]) {
    const { ready, written } = setUp("binary", 1024);
    expect(await ready.write([piece(1), large, piece(3)], never)).toBe(1);
    expect(seqs(written)).toEqual([1n]);
    expect(await ready.write([large, piece(3)], never)).toBe(0);
  }
});

test("what is large and not to be compressed goes alone, as the one copy that all readers share", async () => {
  const large = piece(2, "x".repeat(100_000));
  const [one, other] = [setUp(), setUp()];
  for (const { ready } of [one, other]) expect(await ready.write([piece(1), large, piece(3)], never)).toBe(3);
  expect(seqs(one.written)).toEqual([1n, 2n, 3n]);
  expect(one.written).toHaveLength(3);
  expect(one.written[1]).toBe(other.written[1]);
});

test("nothing is written behind the last entry of the stream", async () => {
  const { ready, written } = setUp();
  expect(await ready.write([piece(1), piece(2), piece(3)], ({ seq }) => seq === 2)).toBe(2);
  expect(seqs(written)).toEqual([1n, 2n]);
});

test("a long page is written in pieces, and a full connection is waited for", async () => {
  const { ready, written, connection } = setUp();
  const page = Array.from({ length: 400 }, (_, i) => piece(i + 1, "x".repeat(100)));
  connection.isFull = true;
  const writing = ready.write(page, never);
  await Promise.resolve();
  expect(written).toHaveLength(1);
  connection.isFull = false;
  connection.drain();
  expect(await writing).toBe(400);
  expect(written.length).toBeGreaterThan(2);
  expect(Math.max(...written.map(({ length }) => length))).toBeLessThan(20 * 1024);
  expect(seqs(written)).toEqual(page.map(({ seq }) => BigInt(seq)));
});

test("nothing is written once the call is over, nor before or after its answer", async () => {
  const cut = setUp();
  cut.connection.isFull = true;
  const writing = cut.ready.write(
    Array.from({ length: 400 }, (_, i) => piece(i + 1, "x".repeat(100))),
    never,
  );
  cut.call.abort();
  cut.connection.drain();
  expect(await writing).toBeLessThan(400);
  expect(cut.written).toHaveLength(1);
  const closed = setUp();
  closed.connection.isOpen = false;
  expect(await closed.ready.write([piece(1)], never)).toBe(0);
  expect(closed.written).toEqual([]);
});
