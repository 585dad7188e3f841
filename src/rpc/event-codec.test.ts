import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { EventSchema, OutputStream } from "../../gen/ts/parley/v1/event_pb.ts";
import { SendMessageResponseSchema, WatchSessionResponseSchema } from "../../gen/ts/parley/v1/message_service_pb.ts";
import { TurnEndReason } from "../../gen/ts/parley/v1/turn_pb.ts";
import type { Delta, LogEntry } from "../event/event.ts";
import { NO_USAGE } from "../usage/usage.ts";
import { encodeEntry, encodePayload, entryToProto, isTurnOver } from "./event-codec.ts";
import { createResponder } from "./watch.ts";

const columns = { seq: 7, createTimeMs: 1_700_000_000_123, turnId: "turn_1" };
const ended: LogEntry = {
  ...columns,
  actor: "admin",
  payload: encodePayload({ kind: "turn_ended", reason: "completed", usage: NO_USAGE, error: undefined }),
};
const step: LogEntry = { ...columns, actor: "", payload: encodePayload({ kind: "step_started", step: 2, model: "m" }) };
const delta: LogEntry = { ...columns, delta: { kind: "text", messageId: "msg_1", text: "größe 😀" } };

test("an entry is what its columns and its payload say together", () => {
  expect(entryToProto(ended)).toMatchObject({
    seq: 7n,
    turnId: "turn_1",
    actor: "admin",
    skippable: false,
    payload: { case: "turnEnded", value: { reason: TurnEndReason.COMPLETED } },
  });
  expect(entryToProto(step)).toMatchObject({ actor: "", skippable: true, payload: { value: { step: 2, model: "m" } } });
});

test("an entry is written as the generated code writes it", () => {
  const deltas: Delta[] = [
    { kind: "text", messageId: "msg_1", text: "größe 😀" },
    { kind: "reasoning", messageId: "msg_1", text: "" },
    { kind: "stdout", callId: "call_1", text: "out" },
    { kind: "stderr", callId: "call_1", text: "half \ud83d" },
  ];
  const entries: LogEntry[] = [
    ended,
    step,
    ...deltas.map((delta) => ({ ...columns, delta })),
    { seq: 2 ** 50, createTimeMs: 0, turnId: "", delta: deltas[0]! },
  ];
  for (const entry of entries) {
    expect(encodeEntry(entry)).toEqual(toBinary(EventSchema, entryToProto(entry)));
  }
  expect(entries.slice(2).map((entry) => entryToProto(entry).payload)).toMatchObject([
    { case: "textDelta", value: { messageId: "msg_1", text: "größe 😀" } },
    { case: "reasoningDelta", value: { messageId: "msg_1", text: "" } },
    { case: "toolOutputDelta", value: { callId: "call_1", stream: OutputStream.STDOUT, data: "out" } },
    { case: "toolOutputDelta", value: { stream: OutputStream.STDERR, data: "half \ufffd" } },
    { case: "textDelta" },
  ]);
  expect(entries.map((entry) => entryToProto(entry).skippable)).toEqual([false, true, false, false, true, true, false]);
});

test("a stream's bytes say the same as its JSON", () => {
  for (const schema of [WatchSessionResponseSchema, SendMessageResponseSchema]) {
    const binary = createResponder(() => create(schema), "application/grpc+proto");
    const json = createResponder(() => create(schema), "application/connect+json");
    for (const entry of [ended, step, delta]) {
      const sent = fromBinary(schema, toBinary(schema, binary({ entry })));
      expect(sent).toEqual(fromBinary(schema, toBinary(schema, json({ entry }))));
      expect(sent.payload).toMatchObject({ case: "event", value: { seq: 7n } });
    }
  }
});

test("the end of a turn is known by its first bytes, and by its turn; a cut of the history is the end of any", () => {
  const payload = encodePayload({ kind: "history_cleared", firstMessageId: "", lastMessageId: "" });
  expect(isTurnOver({ ...ended, turnId: "", payload }, "turn_1")).toBe(true);
  expect([ended, step, delta].map((entry) => isTurnOver(entry, "turn_1"))).toEqual([true, false, false]);
  expect(isTurnOver(ended, "turn_2")).toBe(false);
});
