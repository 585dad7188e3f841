import type { JsonObject } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { createOutput } from "../output.ts";
import { callHead, callRows, callText } from "./call-lines.ts";

const stream = { isTTY: true, columns: 80, write: () => true } as unknown as NodeJS.WriteStream;
const output = createOutput(stream, { color: false, env: {} });

function shown(tool: string, args: JsonObject, diff = "", columns = 40): { head: string; rows: string[] } {
  const call = { tool, args, diff };
  return { head: callHead(output, call), rows: callRows(output, call, columns).map((row) => row.slice(4)) };
}

test("a command is shown whole, over as many rows as it takes", () => {
  const { head, rows } = shown("shell", { command: `echo ${"x".repeat(50)}\nrm -rf /`, timeout_ms: 5 });
  expect(head).toBe("Run this command?");
  expect(rows).toEqual([`echo ${"x".repeat(31)}`, "x".repeat(19), "rm -rf /", "timeout_ms: 5"]);
});

test("what would hide a part of a command is shown", () => {
  const { rows } = shown("shell", { command: "ls\r\u001B[2K\u202Erm -rf ~\tx" });
  expect(rows).toEqual(["ls␍␛[2K<U+202E>rm -rf ~    x"]);
});

test("a command that goes on in the background says so", () => {
  expect(shown("shell", { command: "x", background: true })).toEqual({
    head: "Run this in the background?",
    rows: ["x"],
  });
});

test("an edit is its diff, without what the diff tells already; the name is in the head, controls shown", () => {
  const diff = "--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-a\n+b\n";
  expect(shown("edit_file", { path: "a\u001B.txt", old_text: "a", new_text: "b", replace_all: true }, diff)).toEqual({
    head: "Change a␛.txt?",
    rows: ["replace_all: true", "@@ -1 +1 @@", "-a", "+b"],
  });
});

test("without a diff the arguments are shown, all of them", () => {
  expect(shown("write_file", { path: "a.txt", content: "one\ntwo\n" })).toEqual({
    head: "Write a.txt?",
    rows: ["content:", "  one", "  two", "  "],
  });
  expect(shown("their_tool", { a: { b: [1] }, c: "d" })).toEqual({
    head: "Call the tool their_tool?",
    rows: ['a: {"b":[1]}', "c: d"],
  });
});

test("an edit without a diff shows what goes and what comes; arguments that are none are shown as they are", () => {
  const edits = [
    { old_text: "a\nb\n", new_text: "c\n" },
    { old_text: "d", new_text: "", replace_all: true },
  ];
  expect(shown("edit_file", { path: "a.txt", edits }).rows).toEqual([
    "@@",
    "-a",
    "-b",
    "+c",
    "@@ wherever it is @@",
    "-d",
  ]);
  expect(shown("edit_file", { path: "a.txt", old_text: "a", new_text: "b" }).rows).toEqual(["@@", "-a", "+b"]);
  expect(shown("edit_file", { path: "a.txt", old_text: "a" }).rows).toEqual(["old_text: a"]);
  expect(shown("edit_file", { path: "a.txt", edits: [{ old_text: "a" }, 7] }).rows).toEqual([
    'edits: [{"old_text":"a"},7]',
  ]);
});

test("the names of all files of a patch are shown", () => {
  const diff = "--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-a\n+b\n--- /dev/null\n+++ b/n.txt\n@@ -0,0 +1 @@\n+n\n";
  const { rows } = shown("apply_patch", { patch: diff }, diff);
  expect(rows.slice(0, 2)).toEqual(["--- a/a.txt", "+++ b/a.txt"]);
  expect(rows).toContain("+++ b/n.txt");
});

test.for<[string, JsonObject, string]>([
  ["shell", { command: "ls -l" }, "shell ls -l"],
  ["edit_file", { path: "a", old_text: "x" }, "edit_file a"],
  ["grep", { pattern: "x" }, "grep x"],
  ["now", {}, "now"],
  ["now", { timezone: "UTC" }, 'now({"timezone":"UTC"})'],
])("%s %j on one line", ([tool, args, text]) => {
  expect(callText({ tool, args })).toBe(text);
});
