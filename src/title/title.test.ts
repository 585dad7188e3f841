import { expect, test } from "vitest";
import { demoTitle } from "../model/demo/demo-title.ts";
import { cleanTitle, firstWords, MAX_TITLE } from "./title.ts";

test.each([
  ["Rust build errors", "Rust build errors"],
  ['"Rust build errors."', "Rust build errors"],
  ["“Rust build errors”", "Rust build errors"],
  ["«Rust»", "Rust"],
  ["**Rust build errors**", "Rust build errors"],
  ["# Rust build errors", "Rust build errors"],
  ["Title: Rust build errors", "Rust build errors"],
  ['**Title:** "Rust build errors"', "Rust build errors"],
  ["\n\n  Rust\tbuild   errors.\nBecause you asked.", "Rust build errors"],
  ["---\nRust", "Rust"],
  ["Why so slow?", "Why so slow?"],
  ["To be continued...", "To be continued..."],
  ['The "quoted" word', 'The "quoted" word'],
  ['"A" or "B"', '"A" or "B"'],
  ["'It's late'", "It's late"],
  ["東京の天気。", "東京の天気"],
  ["a\u0000b\u001b[31mc", "a b [31mc"],
  ["left\u202Eright\u200B", "leftright"],
  ["", ""],
  ['""', ""],
  ["\n \r\n", ""],
  ["***", ""],
])("of the answer %j the title is %j", (answer, title) => {
  expect(cleanTitle(answer)).toBe(title);
});

test("a long title is cut between words, to at most 80 characters", () => {
  const title = cleanTitle("seventeen letters ".repeat(20));
  expect(title.length).toBeLessThanOrEqual(MAX_TITLE);
  expect(title).toMatch(/letters…$/);
  expect(firstWords("x".repeat(500))).toBe(`${"x".repeat(MAX_TITLE - 1)}…`);
});

test("no cut goes through a character as people see it", () => {
  const family = "👩‍👩‍👧‍👦";
  for (let start = 0; start < family.length; start++) {
    const title = firstWords("x".repeat(start) + family.repeat(30));
    expect(title.length).toBeLessThanOrEqual(MAX_TITLE);
    expect(title.replace(/^x*/, "").replaceAll(family, "")).toBe("…");
  }
  expect(firstWords("a\ud83d").isWellFormed()).toBe(true);
});

test("the first words are on one line, whatever was said", () => {
  expect(firstWords("  what\n\n  time\tis it? ")).toBe("what time is it?");
  expect(firstWords("\n \t ")).toBe("");
});

test.each([
  ["what time is it in Tokyo and Paris?", "What time is it in Tokyo"],
  ["write 400 words as fast as you can, please", "Write 400 words"],
  ["echo: hello there.", "Hello there"],
  ["as fast as you can", "As fast as you can"],
  ["über alles", "Über alles"],
])("the demo model calls %j %j", (message, title) => {
  expect(demoTitle(message)).toBe(title);
});
