import { create, toBinary } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { EventSchema } from "../../gen/ts/parley/v1/event_pb.ts";
import type { Message, Part } from "../message/message.ts";
import { encodeCompleted } from "./message-bytes.ts";
import { messageToProto } from "./message-proto.ts";

const usage = { inputTokens: 2 ** 40, outputTokens: 1, reasoningTokens: 0, cachedInputTokens: 127, modelCalls: 128 };
const base: Message = {
  id: "msg_1",
  sessionId: "ses_1",
  turnId: "turn_1",
  role: "user",
  status: "complete",
  parts: [{ kind: "text", text: "hello" }],
  model: "",
  usage: undefined,
  createTimeMs: 1_700_000_000_123,
};

const texts = ["", "x", "é🦜\u0000\u2028", "long ".repeat(100_000), "\ud800 half a pair"];
const PARTS: readonly Part[] = texts.flatMap((text): Part[] => [
  { kind: "text", text },
  { kind: "reasoning", text },
  { kind: "tool_result", callId: "call_1", outcome: "unknown", text },
]);

const MESSAGES: readonly Message[] = [
  base,
  { ...base, turnId: "", parts: [] },
  { ...base, role: "assistant", status: "interrupted", model: "m", usage, parts: PARTS },
  ...(["system", "user", "assistant", "tool"] as const).map((role) => ({ ...base, role })),
  ...(["complete", "cancelled", "failed", "interrupted"] as const).map((status) => ({ ...base, status })),
  ...[0, 1, 999, 1000, -1, -1000, 253_402_300_799_999].map((createTimeMs) => ({ ...base, createTimeMs })),
  ...PARTS.map((part) => ({ ...base, parts: [part, part] })),
];

test("a whole message is written byte for byte as the generated code writes it", () => {
  for (const message of MESSAGES) {
    const payload = { case: "messageCompleted", value: { message: messageToProto(message) } } as const;
    const expected = toBinary(EventSchema, create(EventSchema, { payload }));
    expect(Buffer.from(encodeCompleted(message) ?? []).equals(Buffer.from(expected))).toBe(true);
  }
});

test("one that calls tools is left to the generated code", () => {
  const call = { kind: "tool_call", callId: "c", providerCallId: "p", name: "now", arguments: {} } as const;
  expect(encodeCompleted({ ...base, role: "assistant", parts: [call] })).toBeUndefined();
});
