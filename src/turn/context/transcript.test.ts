import { expect, test } from "vitest";
import type { Message, Part, Role } from "../../message/message.ts";
import { toTranscript } from "./transcript.ts";

let count = 0;

function message(role: Role, parts: Part[], status: Message["status"] = "complete"): Message {
  const id = `msg_${++count}`;
  return {
    id,
    sessionId: "ses_1",
    turnId: "turn_1",
    role,
    status,
    parts,
    model: "",
    usage: undefined,
    createTimeMs: 0,
  };
}

function ask(...callIds: string[]): Message {
  const parts = callIds.map((callId): Part => ({
    kind: "tool_call",
    callId,
    providerCallId: callId,
    name: "now",
    arguments: {},
  }));
  return message("assistant", parts);
}

function result(callId: string): Message {
  return message("tool", [{ kind: "tool_result", callId, outcome: "succeeded", text: `of ${callId}` }]);
}

function shape(messages: readonly Message[]): string[] {
  return messages.map(({ role, parts: [part] }) =>
    part?.kind === "tool_result" ? `${part.callId}: ${part.outcome}` : role,
  );
}

const hello = message("user", [{ kind: "text", text: "hello" }]);

test("a whole conversation stays as it is, results in the order of their calls", () => {
  const messages = [hello, ask("a", "b"), result("b"), result("a")];
  expect(shape(toTranscript(messages))).toEqual(["user", "assistant", "a: succeeded", "b: succeeded"]);
});

test("a call without a result gets one that says so", () => {
  const transcript = toTranscript([
    hello,
    ask("a", "b"),
    result("a"),
    message("user", [{ kind: "text", text: "and?" }]),
  ]);
  expect(shape(transcript)).toEqual(["user", "assistant", "a: succeeded", "b: unknown", "user"]);
});

test("a result without its call, and whatever is not whole, is left out", () => {
  const messages = [
    hello,
    result("nobody's"),
    message("assistant", [{ kind: "text", text: "hal" }], "failed"),
    message("assistant", []),
  ];
  expect(toTranscript(messages)).toEqual([hello]);
});
