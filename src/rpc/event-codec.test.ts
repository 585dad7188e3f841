import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { SendMessageResponseSchema, WatchSessionResponseSchema } from "../../gen/ts/parley/v1/message_service_pb.ts";
import { TurnEndReason } from "../../gen/ts/parley/v1/turn_pb.ts";
import type { LogEntry } from "../event/event.ts";
import { NO_USAGE } from "../usage/usage.ts";
import { encodePayload, entryToProto, isTurnOver } from "./event-codec.ts";
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
