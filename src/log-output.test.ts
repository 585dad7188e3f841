import { describe, expect, test } from "vitest";
import { createLogOutput } from "./log-output.ts";

function createDescriptor(answers: readonly (number | string)[]) {
  const written: string[] = [];
  let call = 0;
  const write = (_fd: number, bytes: Buffer, at = 0): number => {
    const answer = answers[Math.min(call++, answers.length - 1)];
    if (typeof answer === "string") throw Object.assign(new Error(answer), { code: answer });
    const count = Math.min(answer ?? 0, bytes.length - at);
    written.push(bytes.subarray(at, at + count).toString());
    return count;
  };
  return { write: write as never, written };
}

describe("a log line", () => {
  test("is written whole, also in pieces and after a wait", () => {
    const { write, written } = createDescriptor([3, "EAGAIN", 2, 100]);
    createLogOutput(2, write).write("hello world\n");
    expect(written).toEqual(["hel", "lo", " world\n"]);
  });

  test.each(["ENOSPC", "EPIPE", "EIO", "EAGAIN"])(
    "that cannot be written (%s) is dropped, and the next one is tried",
    (code) => {
      const { write, written } = createDescriptor([code]);
      const output = createLogOutput(2, write);
      output.write("one\n");
      output.write("two\n");
      expect(written).toEqual([]);
    },
  );
});
