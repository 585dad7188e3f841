import { expect, test } from "vitest";
import type { OutputDelta } from "../../event/event.ts";
import { createCallOutput } from "./call-output.ts";

const call = { sessionId: "ses_1", turnId: "turn_1", callId: "call_1" };

function setUp() {
  const shown: OutputDelta[] = [];
  const log = { addOutput: async (_sessionId: string, _turnId: string, delta: OutputDelta) => void shown.push(delta) };
  return { shown, ...createCallOutput(log, call) };
}

test("what a call prints is shown as its own, stream by stream", async () => {
  const { shown, output } = setUp();
  await output("stdout", "a");
  await output("stderr", "b");
  await output("stdout", "");
  expect(shown).toEqual([
    { kind: "stdout", callId: "call_1", text: "a" },
    { kind: "stderr", callId: "call_1", text: "b" },
  ]);
});

test("of one call a mebi of characters is shown, and a word that there is more, once", async () => {
  const { shown, output } = setUp();
  for (let i = 0; i < 40; i++) await output("stdout", "🐦".repeat(16 * 1024));
  const all = shown.map(({ text }) => text).join("");
  expect(all.isWellFormed()).toBe(true);
  expect(all.length).toBeLessThan(1024 * 1024 + 100);
  expect(all.split("[more was printed than is shown]")).toHaveLength(2);
});

test("what comes after the call is over is nobody's", async () => {
  const { shown, output, close } = setUp();
  close();
  await output("stdout", "late");
  expect(shown).toEqual([]);
});
