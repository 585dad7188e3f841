import { expect, test } from "vitest";
import { typedWords } from "./typed-words.ts";

test.for<[string, string[]]>([
  ["", []],
  ["  answer  7m2q --deny ", ["answer", "7m2q", "--deny"]],
  [`--reason 'keep that "file"'`, ["--reason", 'keep that "file"']],
  [String.raw`--arguments "{\"command\":\"ls\"}"`, ["--arguments", '{"command":"ls"}']],
  [`--arguments '{"command":"a\\nb"}'`, ["--arguments", '{"command":"a\\nb"}']],
  [`a\\ b --x=''`, ["a b", "--x="]],
  ["ünï 日本", ["ünï", "日本"]],
])("%j", ([line, words]) => {
  expect(typedWords(line)).toEqual(words);
});

test.for(["it's", '"open', "a \\"])("%j is refused", (line) => {
  expect(() => typedWords(line)).toThrow("a quote is not closed");
});
