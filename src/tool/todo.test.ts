import { expect, test } from "vitest";
import { MAX_TODO_CHARS, MAX_TODO_ITEMS } from "../todo/todo.ts";
import { todoTool } from "./todo.ts";
import type { ToolContext } from "./tool.ts";

const place = { sessionId: "ses_1", workspace: "" };
// It uses nothing of it.
const context = place as ToolContext;

test("a list is kept as it is given, and counted for the model", async () => {
  const items = [
    { text: "read the tests 🐦", state: "done" },
    { text: "fix the parser", state: "in_progress" },
    { text: "x".repeat(MAX_TODO_CHARS), state: "pending" },
  ] as const;
  expect(await todoTool.run({ items }, context)).toEqual({
    text: "The list has 3: 1 done, 1 in progress, 1 to do.",
    todos: items,
  });
  expect(await todoTool.run({ items: [] }, context)).toEqual({ text: "The list is empty.", todos: [] });
  expect(await todoTool.assess({ items }, place)).toMatchObject({ risk: { level: "none" }, subjects: [] });
});

const item = { text: "a", state: "done" };

test.each([
  [{}, /items must be a list/],
  [{ items: "a" }, /items must be a list/],
  [{ items: { 0: item } }, /items must be a list/],
  [{ items: [item], more: 1 }, /no argument "more"/],
  [{ items: Array.from({ length: MAX_TODO_ITEMS + 1 }, () => item) }, /items: 101; a list holds at most 100/],
  [{ items: [item, "a"] }, /items\[1\] must be an object/],
  [{ items: [null] }, /items\[0\] must be an object/],
  [{ items: [[item]] }, /items\[0\] must be an object/],
  [{ items: [{ state: "done" }] }, /items\[0\]\.text/],
  [{ items: [{ text: " \n", state: "done" }] }, /items\[0\]\.text/],
  [{ items: [{ text: 7, state: "done" }] }, /items\[0\]\.text/],
  [{ items: [{ text: "é".repeat(MAX_TODO_CHARS + 1), state: "done" }] }, /501 characters; at most 500/],
  [{ items: [{ text: "a", state: "DONE" }] }, /items\[0\]\.state must be one of pending, in_progress, done/],
  [{ items: [{ text: "a" }] }, /items\[0\]\.state/],
  [{ items: [{ ...item, priority: 1 }] }, /no "priority"/],
])("%j is refused with what is wrong, before anything is asked or kept", async (args, why) => {
  expect(() => todoTool.assess(args, place)).toThrow(why);
  await expect(todoTool.run(args, context)).rejects.toThrow(why);
});

test("characters of two units count once", async () => {
  const items = [{ text: "🐦".repeat(MAX_TODO_CHARS), state: "done" }];
  expect((await todoTool.run({ items }, context)).todos).toEqual(items);
});
