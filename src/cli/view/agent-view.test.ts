import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { EventSchema, SessionSchema, ToolCallState, TurnEndReason } from "../../client/client.ts";
import { createAgentView } from "./agent-view.ts";
import type { Output } from "../output.ts";
import { createPage } from "./page.ts";
import { createStyle } from "../terminal/style.ts";

type Payload = MessageInitShape<typeof EventSchema>["payload"];

function viewed({ depth = 0, columns = 60 } = {}) {
  let text = "";
  const output: Output = {
    isTerminal: true,
    style: createStyle(false),
    write: (more) => void (text += more),
    foreign: (all) => all,
    foreignLine: (all) => all,
    columns,
  };
  const spinner = { start: () => undefined, stop: () => undefined };
  const session = create(SessionSchema, {
    agent: "reviewer",
    title: "look at the last commit and say what is wrong in it",
  });
  const view = createAgentView(output, { page: createPage(output, { spinner }), session, depth });
  const see = (...payloads: readonly Payload[]): void => {
    for (const payload of payloads) view.show(create(EventSchema, { payload } as MessageInitShape<typeof EventSchema>));
  };
  return { see, lines: () => text.trimEnd().split("\n") };
}

function call(callId: string, command: string, text = "exit code 0"): Payload[] {
  return [
    { case: "toolCallStarted", value: { callId, name: "shell", arguments: { command } } },
    { case: "toolCallEnded", value: { result: { callId, text, state: ToolCallState.SUCCEEDED } } },
  ];
}
const BEGIN: Payload = { case: "turnStarted", value: {} };
const DONE: Payload = { case: "turnEnded", value: { reason: TurnEndReason.COMPLETED } };

test("what an agent does is a line when it begins, one for each call, and one when it is done", () => {
  const { see, lines } = viewed();
  see(BEGIN, ...call("c1", "git log", "exit code 0\nmany\nlines"), DONE);
  expect(lines()).toEqual([
    "▸ reviewer begins: look at the last commit and say what is…",
    "  reviewer ⚙ shell git log → exit code 0",
    "▹ reviewer is done",
  ]);
});

test("an agent of an agent is set in, and no line is wider than the window", () => {
  const { see, lines } = viewed({ depth: 1, columns: 60 });
  see(BEGIN, ...call("c1", "x".repeat(80)), DONE);
  expect(lines()[0]).toMatch(/^ {2}▸ reviewer begins: /);
  expect(lines()[1]).toMatch(/^ {4}reviewer ⚙ shell x/);
  expect(lines()).toHaveLength(3);
  expect(Math.max(...lines().map((line) => line.length))).toBeLessThanOrEqual(60);
});

test("many calls are counted and not shown; why it did not end well is told", () => {
  const { see, lines } = viewed();
  see(BEGIN, ...Array.from({ length: 20 }, (_, index) => call(`c${index}`, "true")).flat());
  see({ case: "turnEnded", value: { reason: TurnEndReason.FAILED, error: { reason: "STALLED", message: "no word" } } });
  expect(lines()).toHaveLength(14);
  expect(lines().at(-1)).toBe("✗ reviewer failed: no word (STALLED) (20 calls, 8 not shown)");
});
