import { expect, test } from "vitest";
import type { ModelEvent, ModelPulse } from "../model.ts";
import { createPieceQueue, type PieceQueue } from "./piece-queue.ts";

const STOP: ModelEvent = { kind: "stop", reason: "end" };

async function drain(queue: PieceQueue): Promise<(ModelEvent | ModelPulse)[]> {
  const events: (ModelEvent | ModelPulse)[] = [];
  for (let result = await queue.next(); result.done !== true; result = await queue.next()) events.push(result.value);
  return events;
}

test("text that comes in one go is one piece, also to a reader that waits", async () => {
  const queue = createPieceQueue();
  const first = queue.next();
  await Promise.resolve();
  for (const word of ["a", "b", "c"]) {
    queue.text("text", word);
    await Promise.resolve();
  }
  expect(await first).toEqual({ value: { kind: "text", text: "abc" }, done: false });
});

test("kinds stay apart and in order", async () => {
  const queue = createPieceQueue();
  queue.text("reasoning", "r");
  queue.text("text", "a");
  queue.text("text", "b");
  queue.push(STOP);
  queue.end();
  expect(await drain(queue)).toEqual([{ kind: "reasoning", text: "r" }, { kind: "text", text: "ab" }, STOP]);
});

test("half a character waits for its other half", async () => {
  const queue = createPieceQueue();
  queue.text("text", "a\ud83d");
  expect((await queue.next()).value).toEqual({ kind: "text", text: "a" });
  queue.text("text", "\ude00b");
  expect((await queue.next()).value).toEqual({ kind: "text", text: "\u{1f600}b" });
});

test("half a character whose other half never comes is replaced", async () => {
  const queue = createPieceQueue();
  queue.text("text", "a\ud83d");
  await queue.next();
  queue.end();
  expect(await drain(queue)).toEqual([{ kind: "text", text: "\ufffd" }]);

  const mixed = createPieceQueue();
  mixed.text("text", "\ud83d");
  mixed.text("reasoning", "r");
  mixed.end();
  expect(await drain(mixed)).toEqual([
    { kind: "text", text: "\ufffd" },
    { kind: "reasoning", text: "r" },
  ]);
});

test("a sign of life is passed on where nothing else is", async () => {
  const queue = createPieceQueue();
  queue.pulse();
  expect((await queue.next()).value).toEqual({ kind: "pulse" });
  queue.pulse();
  queue.text("text", "a");
  queue.end();
  expect(await drain(queue)).toEqual([{ kind: "text", text: "a" }]);
});

test("an error comes after the pieces before it, once", async () => {
  const queue = createPieceQueue();
  const error = new Error("no");
  queue.text("text", "a");
  queue.end(error);
  queue.end();
  expect((await queue.next()).value).toEqual({ kind: "text", text: "a" });
  await expect(queue.next()).rejects.toBe(error);
  expect((await queue.next()).done).toBe(true);
});

test("an abort comes before the pieces", async () => {
  const queue = createPieceQueue();
  const reason = new Error("cancelled");
  queue.text("text", "a");
  queue.abort(reason);
  await expect(queue.next()).rejects.toBe(reason);
  expect((await queue.next()).done).toBe(true);
});

test("a reader that does not read leaves no room; one that does makes some", async () => {
  const queue = createPieceQueue();
  queue.text("text", "x".repeat(300_000));
  const room = queue.room();
  expect(room).toBeInstanceOf(Promise);
  await queue.next();
  await room;
  expect(queue.room()).toBeUndefined();
});
