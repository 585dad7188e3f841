import { expect, test } from "vitest";
import { createOutput } from "../output.ts";
import { diffLines } from "./diff-lines.ts";

const stream = { isTTY: true, columns: 80, write: () => true } as unknown as NodeJS.WriteStream;
const output = createOutput(stream, { color: true, env: { TERM: "xterm" } });
const plain = createOutput(stream, { color: false, env: {} });

const DIFF = `--- a/a.txt
+++ b/a.txt
@@ -1,2 +1,2 @@
 same
--- old
+new
`;

test("what is added is green, what is removed red, and the rest dim", () => {
  const { bold, cyan, dim, green, red } = output.style;
  expect(diffLines(output, DIFF)).toEqual([
    bold("--- a/a.txt"),
    bold("+++ b/a.txt"),
    cyan("@@ -1,2 +1,2 @@"),
    dim(" same"),
    red("--- old"),
    green("+new"),
  ]);
});

test("the names can stand elsewhere; a removed line that looks like one stays", () => {
  expect(diffLines(plain, DIFF, { hidesNames: true })).toEqual(["@@ -1,2 +1,2 @@", " same", "--- old", "+new"]);
});

test("what would steer a terminal or hide is shown, tabs have a width", () => {
  expect(diffLines(plain, "@@ -0,0 +1,2 @@\n+a\u001B[2Jb\u202Ec\r\n+\td")).toEqual([
    "@@ -0,0 +1,2 @@",
    "+a␛[2Jb<U+202E>c␍",
    "+    d",
  ]);
});

test("a long line becomes rows of one colour", () => {
  const { green } = output.style;
  expect(diffLines(output, "@@ -0,0 +1 @@\n+日本語ab", { columns: 4 }).slice(-3)).toEqual(
    ["+日", "本語", "ab"].map(green),
  );
});

test("the names of each file are told, and what stands at its end", () => {
  const two = `${DIFF}\\ No newline at end of file\n--- a/b.txt\n+++ /dev/null\n@@ -1 +0,0 @@\n-gone\n`;
  const { bold, dim } = output.style;
  expect(diffLines(output, two).slice(6, 9)).toEqual([
    dim("\\ No newline at end of file"),
    bold("--- a/b.txt"),
    bold("+++ /dev/null"),
  ]);
});
