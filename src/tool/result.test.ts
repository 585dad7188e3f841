import { expect, test } from "vitest";
import { cutResult, MAX_RESULT_CHARS } from "./result.ts";

test("a result that fits stays as it is", () => {
  expect(cutResult("x".repeat(MAX_RESULT_CHARS))).toEqual({ text: "x".repeat(MAX_RESULT_CHARS), whole: undefined });
});

test("of a longer one the head and the tail are told, and all of it is kept", () => {
  const long = `first ${"é".repeat(100)} last`;
  const { text, whole } = cutResult(long, 20);
  expect(text).toBe(`first éééé\n[cut: 91 of 111 characters are not shown]\nééééé last`);
  expect(whole?.toString("utf8")).toBe(long);
});

test("no character is cut in halves, and half characters of a tool are replaced", () => {
  const { text } = cutResult("😀".repeat(50), 21);
  expect(text.isWellFormed()).toBe(true);
  expect(text).toMatch(/^(😀){5}\n\[cut: 80 of 100 characters are not shown\]\n(😀){5}$/u);
  expect(cutResult("\ud83d").text).toBe("\ufffd");
});
