import * as fc from "fast-check";
import { expect, test } from "vitest";
import { formatCommandPattern, mayMatch, mustMatch, parseCommandPattern } from "./command-pattern.ts";
import { matchesGlob } from "./glob.ts";

const parse = (text: string) => parseCommandPattern(text)!;
const command = (words: readonly string[], fixedWords = words.length) =>
  ({ kind: "command", words, fixedWords }) as const;

test("any words, written as a pattern, are read again as they were", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: "binary" }), { minLength: 1 }), fc.boolean(), (words, isOpen) => {
      expect(parseCommandPattern(formatCommandPattern({ words, isOpen }))).toEqual({ words, isOpen });
    }),
  );
});

test.each([
  "git status; rm x",
  "git status && x",
  "git | sh",
  "git $(x)",
  "git `x`",
  "git $X",
  "'git",
  "git st*",
  "* git",
  "",
  "  ",
])("%j is no pattern", (text) => {
  expect(parseCommandPattern(text)).toBeUndefined();
});

test("without a star the words are all there are; with one any may follow", () => {
  expect(mustMatch(parse("git status"), command(["git", "status"]))).toBe(true);
  expect(mustMatch(parse("git status"), command(["git", "status", "-s"]))).toBe(false);
  expect(mustMatch(parse("git status *"), command(["git", "status", "-s"]))).toBe(true);
  expect(mustMatch(parse("git status *"), command(["git", "status"]))).toBe(true);
  expect(mustMatch(parse("git status"), command(["git status"]))).toBe(false);
});

test("what the shell makes up is allowed under a star alone, and caught wherever it may be meant", () => {
  const open = command(["git", "$X"], 1);
  expect(mustMatch(parse("git status"), open)).toBe(false);
  expect(mustMatch(parse("git '$X'"), open)).toBe(false);
  expect(mustMatch(parse("git *"), open)).toBe(true);
  expect(mayMatch(parse("git push"), open)).toBe(true);
  expect(mayMatch(parse("npm *"), open)).toBe(false);
});

test.each(["find . -exec rm x ;", "eval rm x", "watch -n 5 rm x", "strace rm x", "flock l rm x", "coproc rm x"])(
  "what forbids rm catches it in %j, and what allows rm does not",
  (text) => {
    expect(mayMatch(parse("rm *"), command(text.split(" ")))).toBe(true);
    expect(mustMatch(parse("rm *"), command(text.split(" ")))).toBe(false);
    expect(mayMatch(parse("mv *"), command(text.split(" ")))).toBe(false);
  },
);

test.each([
  ["src/*.ts", "src/a.ts", true],
  ["src/*.ts", "src/a/b.ts", false],
  ["src/**", "src/a/b.ts", true],
  ["src/**", "src", true],
  ["src/", "src/.hidden", true],
  ["/**/.env", "/a/b/.env", true],
  ["a?c", "abc", true],
  ["a?c", "a/c", false],
  ["src", "src/a", false],
  ["src/**/b", "src/b", true],
])("the glob %s and the path %s: %s", (glob, path, isMatch) => {
  expect(matchesGlob(glob, path)).toBe(isMatch);
});

test("a glob made to take for ever does not", () => {
  expect(matchesGlob(`${"*a".repeat(200)}b`, "a".repeat(4000))).toBe(false);
  expect(matchesGlob(`${"**/a/".repeat(100)}b`, "a/".repeat(2000))).toBe(false);
});
