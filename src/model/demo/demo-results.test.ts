import { expect, test } from "vitest";
import { messageOf } from "../../../test/helpers/model-request.ts";
import type { ToolOutcome } from "../../message/message.ts";
import { lastCalls, tellResult } from "./demo-results.ts";

function ended(name: string, args: object, text: string, outcome: ToolOutcome = "succeeded") {
  const asked = { kind: "tool_call", callId: "c", providerCallId: "p", name, arguments: { ...args } } as const;
  return { call: asked, result: { kind: "tool_result", callId: "c", outcome, text } as const };
}

const call = (callId: string) =>
  ({ kind: "tool_call", callId, providerCallId: callId, name: "shell", arguments: {} }) as const;
const result = (callId: string) =>
  messageOf("tool", { kind: "tool_result", callId, outcome: "succeeded", text: callId });

test.for<[string, Parameters<typeof ended>, string]>([
  [
    "a command",
    ["shell", { command: "ls" }, "exit code 0 after 0.1 s\na\nb\n"],
    "`ls`: exit code 0 after 0.1 s, and it printed:\n\n```\na\nb\n```",
  ],
  [
    "a command that says nothing",
    ["shell", { command: "true" }, "exit code 1 after 0.1 s\n[no output]"],
    "`true`: exit code 1 after 0.1 s",
  ],
  [
    "a tool that has nothing to say",
    ["glob", { pattern: "*" }, "[no file matches]"],
    "I could call glob; it said nothing.",
  ],
  ["a file", ["read_file", { path: "a.txt" }, "hello\n"], "a.txt says:\n\n```\nhello\n```"],
  ["no files", ["list_files", {}, "[nothing is in it]"], "There are no files."],
  ["a file that was written", ["write_file", { path: "a" }, "made a (5 bytes)"], "Done: made a (5 bytes)."],
  ["an answer", ["ask_human", {}, "blue"], "You answered: blue"],
  ["a failure", ["read_file", { path: "a" }, "there is no a", "failed"], "I could not read a: there is no a"],
  [
    "a denial",
    ["shell", { command: "rm a" }, "The call was denied and did not run: a human says: keep it", "denied"],
    "I was not allowed to run `rm a`: a human says: keep it",
  ],
  [
    "a call that was changed",
    [
      "shell",
      { command: "rm a" },
      '[A human changed the arguments before it ran; it ran with: {"command":"rm b]"}]\nexit code 0 after 0.1 s\n[no output]',
    ],
    "As you changed it: `rm b]`: exit code 0 after 0.1 s",
  ],
  ["a tool of somebody else", ["their_tool", {}, "no", "failed"], "I could not call their_tool: no"],
  [
    "a cancelled call",
    ["shell", { command: "sleep 9" }, "", "cancelled"],
    "I was stopped before I could run `sleep 9`.",
  ],
])("it tells of %s", ([, given, told]) => {
  expect(tellResult(ended(...given))).toBe(told);
});

test("nothing that a tool says ends the frame around it, and of much the beginning is told", () => {
  const text = `${"````\n".repeat(3)}${"line\n".repeat(100)}`;
  const told = tellResult(ended("read_file", { path: "x" }, text)).split("\n");
  expect(told[2]).toBe("`````");
  expect(told.slice(-2)).toEqual(["`````", "... and 83 more lines"]);
  expect(told.length).toBeLessThan(50);
});

test("one line of a megabyte is cut", () => {
  expect(tellResult(ended("read_file", { path: "x" }, "😀".repeat(500_000))).length).toBeLessThan(5000);
});

test("it tells of the newest calls alone, those that have ended", () => {
  const messages = [
    messageOf("assistant", call("a")),
    result("a"),
    messageOf("assistant", call("b"), call("c")),
    result("c"),
    result("b"),
    messageOf("assistant", "no call"),
  ];
  expect(lastCalls(messages).map((one) => one.result.text)).toEqual(["b", "c"]);
  expect(lastCalls([messageOf("user", "hi")])).toEqual([]);
});
