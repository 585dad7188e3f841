import { expect, test } from "vitest";
import { visible, visibleLine } from "../src/cli/terminal/visible.ts";

test.for([
  ["\u001B]0;title\u0007", "␛]0;title␇"],
  ["\u009B31m", "<U+009B>31m"],
  ["back\rover", "back␍over"],
  ["a\u007Fb", "a␡b"],
  ["\u202Egnp.exe", "<U+202E>gnp.exe"],
  ["\u2066isolate\u2069", "<U+2066>isolate<U+2069>"],
  ["pay\u200Bpal", "pay<U+200B>pal"],
  ["ad\u200Dmin", "ad<U+200D>min"],
  ["hidden\u{E0068}\u{E0069}", "hidden<U+E0068><U+E0069>"],
  ["\uFEFFstart", "<U+FEFF>start"],
] as const)("%j is shown as %j", ([text, shown]) => {
  expect(visible(text)).toBe(shown);
});

test.for(["two\nlines\tand a tab", "grüße, 日本語, עברית, العربية", "👩‍💻 👍🏽 ❤️", "می‌خواهم", "क्‍ष"])(
  "%s stays as it is",
  (text) => {
    expect(visible(text)).toBe(text);
  },
);

test("line ends of others become ours; on one line they become spaces", () => {
  expect(visible("a\r\nb")).toBe("a\nb");
  expect(visibleLine("a \r\n b\tc\rd")).toBe("a b c d");
});
