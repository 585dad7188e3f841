import { describe, expect, test } from "vitest";
import { createStyle } from "./style.ts";
import { widthOf } from "./width.ts";
import { wrapItems, wrapWords } from "./wrap-words.ts";

const TEXT = "the quick brown fox jumps over the lazy dog";

describe("a line that is wider than its place", () => {
  test("breaks at spaces, which go, and keeps those at its beginning", () => {
    expect(wrapWords(TEXT, 16)).toEqual(["the quick brown", "fox jumps over", "the lazy dog"]);
    expect(wrapWords("  one two", 6)).toEqual(["  one", "two"]);
    expect(wrapWords("one   two  ", 5)).toEqual(["one", "two"]);
  });

  test("fits as it is where it fits, to the last column", () => {
    expect(wrapWords("one two", 7)).toEqual(["one two"]);
    expect(wrapWords("", 7)).toEqual([""]);
  });

  test("cuts a word that is wider than a row, or leaves it to the terminal", () => {
    expect(wrapWords("see abcdefghijkl there", 6)).toEqual(["see", "abcdef", "ghijkl", "there"]);
    expect(wrapWords("see abcdefghijkl there", 6, { long: "whole" })).toEqual(["see", "abcdefghijkl", "there"]);
    expect(wrapWords("go on with `a b c d` now", 6, { long: "whole" })).toEqual(["go on", "with", "`a b c d`", "now"]);
    expect(wrapWords("a ` that is alone", 6, { long: "whole" })).toEqual(["a `", "that", "is", "alone"]);
  });

  test("sets in the rows after the first, unless that leaves too little room", () => {
    expect(wrapWords("- one two three", 9, { hang: 2 })).toEqual(["- one two", "  three"]);
    expect(wrapWords("- abcdefghijklmnop", 9, { hang: 2 })).toEqual(["-", "  abcdefg", "  hijklmn", "  op"]);
    expect(wrapWords("one two", 3, { hang: 2 })).toEqual(["one", "two"]);
  });

  test("is measured as it is seen: wide characters are two columns, combining marks and joined emoji none of their own", () => {
    expect(wrapWords("日本語の文章です。終わり", 10)).toEqual(["日本語の文", "章です。終", "わり"]);
    // A full stop begins no row, and an opening bracket ends none.
    expect(wrapWords("日本語の文。", 10)).toEqual(["日本語の", "文。"]);
    expect(wrapWords("日本語「文」", 8)).toEqual(["日本語", "「文」"]);
    const marked = "e\u0301e\u0301e\u0301 a\u0308a\u0308";
    expect(wrapWords(marked, 4)).toEqual(["e\u0301e\u0301e\u0301", "a\u0308a\u0308"]);
    expect(wrapWords("👩‍👩‍👧👩‍👩‍👧👩‍👩‍👧", 4)).toEqual(["👩‍👩‍👧👩‍👩‍👧", "👩‍👩‍👧"]);
  });

  test("ends its colours with each row, and goes on with them in the next", () => {
    const { bold, red } = createStyle(true);
    expect(wrapWords(`one ${bold(`two ${red("three")} four`)} five`, 8)).toEqual([
      "one \u001B[1mtwo\u001B[22m",
      "\u001B[1m\u001B[31mthree\u001B[39m\u001B[22m",
      "\u001B[1mfour\u001B[22m",
      "five",
    ]);
  });

  test("loses no character and makes no row too wide, at every width", () => {
    const text = `  ${TEXT} 日本語のとても長い文章、「引用」です。 aVeryLongWordThatFitsNowhereAtAll ${TEXT}`;
    for (let columns = 2; columns < 90; columns++) {
      const rows = wrapWords(text, columns);
      expect(Math.max(...rows.map(widthOf))).toBeLessThanOrEqual(columns);
      expect(rows.join("").replaceAll(" ", "")).toBe(text.replaceAll(" ", ""));
    }
  });
});

test("words between dots break there alone", () => {
  const keys = "y once · n no · r no, because … · ? help";
  expect(wrapItems(keys, 80)).toEqual([keys]);
  expect(wrapItems(keys, 20)).toEqual(["y once · n no", "r no, because …", "? help"]);
  expect(wrapItems(keys, 5)).toEqual(["y", "once", "n no", "r no,", "becau", "se …", "? help".slice(0, 1), "help"]);
});
