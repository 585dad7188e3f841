import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { FileChangedSchema, FileChangeKind, ToolCallState, ToolResultSchema } from "../../client/client.ts";
import { callLines, changeLines } from "./call-view.ts";
import { createOutput } from "../output.ts";

const stream = { isTTY: true, columns: 60, write: () => true } as unknown as NodeJS.WriteStream;
const plain = createOutput(stream, { color: false, env: {} });
const colored = createOutput(stream, { color: true, env: { TERM: "xterm" } });

function called(name: string, args: object, text: string, state = ToolCallState.SUCCEEDED): string[] {
  const result = create(ToolResultSchema, { callId: "c", state, text });
  return callLines(plain, { name, args: JSON.stringify(args) }, result);
}

test("a call and what it told are one line", () => {
  expect(called("now", { timezone: "UTC" }, "noon\n")).toEqual(['⚙ now({"timezone":"UTC"}) → noon']);
  expect(called("now", {}, "noon")).toEqual(["⚙ now() → noon"]);
  expect(called("write_file", { path: "a.txt", content: "x" }, "made a.txt")).toEqual([
    "⚙ write_file a.txt → made a.txt",
  ]);
});

test("what a command printed stands below how it ended, and nothing where it printed nothing", () => {
  expect(called("shell", { command: "ls" }, "exit code 0 after 0.1 s\na\nb\n")).toEqual([
    "⚙ shell ls → exit code 0 after 0.1 s",
    "  │ a",
    "  │ b",
  ]);
  expect(called("shell", { command: "true" }, "exit code 0 after 0.1 s\n[no output]")).toEqual([
    "⚙ shell true → exit code 0 after 0.1 s",
  ]);
});

test("much of it is folded, and what is wide cut", () => {
  const lines = called(
    "list_files",
    {},
    Array.from({ length: 30 }, (_, index) => `${index} ${"x".repeat(100)}`).join("\n"),
  );
  expect(lines[0]).toBe("⚙ list_files() → 30 lines");
  expect(lines).toHaveLength(9);
  expect(lines[8]).toBe("  │ … 23 more lines");
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(60);
});

test("what a tool told does not steer the terminal", () => {
  expect(called("shell", { command: "a\u001B[2Jb" }, "exit code 0\n\u001B]0;x\u0007\u202Ey")).toEqual([
    "⚙ shell a␛[2Jb → exit code 0",
    "  │ ␛]0;x␇<U+202E>y",
  ]);
});

test("arguments that are no JSON are shown as they came", () => {
  const result = create(ToolResultSchema, { callId: "c", state: ToolCallState.FAILED, text: "no" });
  expect(callLines(plain, { name: "now", args: "{bad" }, result)).toEqual(["⚙ now({bad) → no"]);
  expect(callLines(plain, undefined, result)).toEqual(["⚙ tool → no"]);
});

function changed(init: MessageInitShape<typeof FileChangedSchema>) {
  return create(FileChangedSchema, {
    path: "a.txt",
    kind: FileChangeKind.MODIFIED,
    addedLines: 1,
    removedLines: 1,
    ...init,
  });
}

test("a change of a file is its diff in colour", () => {
  const { style } = colored;
  const diff = "--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-one\n+two\n";
  expect(changeLines(plain, changed({ diff }))).toEqual([
    "✎ changed a.txt (+1 −1)",
    "  │ @@ -1 +1 @@",
    "  │ -one",
    "  │ +two",
  ]);
  expect(changeLines(colored, changed({ diff })).at(-1)).toBe(`  ${style.dim("│")} ${style.green("+two")}`);
});

test("a file that is not text has no diff, a long diff is folded", () => {
  expect(changeLines(plain, changed({ kind: FileChangeKind.CREATED, addedLines: 0, removedLines: 0 }))).toEqual([
    "✎ made a.txt",
  ]);
  const diff = `@@ -0,0 +1,99 @@\n${"+x\n".repeat(99)}`;
  const lines = changeLines(plain, changed({ diff, addedLines: 99, removedLines: 0 }));
  expect(lines).toHaveLength(25);
  expect(lines.at(-1)).toBe("  │ … 77 more lines");
});
