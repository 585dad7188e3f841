import { expect, test } from "vitest";
import { createTypingGuard, type TypingGuard } from "./typing-guard.ts";

function started(): { guard: TypingGuard; wait: (ms: number) => void } {
  let now = 10_000;
  return { guard: createTypingGuard({ monotonic: () => now }), wait: (ms) => void (now += ms) };
}
const Y = { sequence: "y" };
const N = { sequence: "n" };

test("a key that was on its way when something was asked is no answer; one that comes after it was read is", () => {
  const { guard, wait } = started();
  guard.asks();
  wait(50);
  expect(guard.take(Y)).toBe("typed");
  wait(1000);
  expect(guard.msUntilReady).toBe(0);
  expect(guard.take(Y)).toBe("answer");
});

test("who types on does not answer, however long; only after a pause", () => {
  const { guard, wait } = started();
  guard.asks();
  for (let index = 0; index < 50; index++) {
    wait(200);
    expect(guard.take(Y)).toBe("typed");
  }
  expect(guard.msUntilReady).toBe(300);
  wait(300);
  expect(guard.take(Y)).toBe("answer");
});

test("a second press, or a key held down, answers nothing that comes up next", () => {
  const { guard, wait } = started();
  guard.asks();
  wait(1000);
  expect(guard.take(Y)).toBe("answer");
  guard.answered(Y);
  guard.asks();
  for (let index = 0; index < 100; index++) {
    wait(30);
    expect(guard.take(Y)).toBe("repeated");
  }
  wait(1000);
  expect(guard.take(Y)).toBe("answer");
});

test("another key right after an answer is typed", () => {
  const { guard, wait } = started();
  wait(1000);
  guard.take(Y);
  guard.answered(Y);
  guard.asks();
  wait(100);
  expect(guard.take(N)).toBe("typed");
});

test("who has begun to answer goes on as fast as they like", () => {
  const { guard, wait } = started();
  guard.asks();
  wait(400);
  expect(["e", "l", "s"].map((sequence) => guard.take({ sequence }))).toEqual(["answer", "answer", "answer"]);
});
