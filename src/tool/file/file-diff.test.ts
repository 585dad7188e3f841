import { applyPatch } from "diff";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { diffOf } from "./file-diff.ts";

/** Texts of few different lines, so that much of two of them is alike. */
const text = fc
  .array(fc.constantFrom("a", "b", "c", "", "@@ -1 +1 @@", "-- x", "+", "\\ No", "é😀", "a\r"), { maxLength: 30 })
  .chain((lines) => fc.constantFrom("", "\n").map((end) => (lines.length === 0 ? "" : lines.join("\n") + end)));

test("a diff makes of the one text the other, whatever they have in common", async () => {
  await fc.assert(
    fc.asyncProperty(text, text, async (before, after) => {
      const diff = await diffOf("f", before, after);
      const options = { fuzzFactor: 0, autoConvertLineEndings: false };
      // There is nothing to apply where they are the same.
      expect(diff === "" ? before : applyPatch(before, diff, options)).toBe(after);
    }),
    { numRuns: 2000 },
  );
});

test("a change in the middle of a large text is one hunk, at its place", async () => {
  const lines = Array.from({ length: 300_000 }, (_, index) => `line ${index}\n`);
  const before = lines.join("");
  const after = lines.with(250_000, "another\n").join("");
  expect(await diffOf("f", before, after)).toBe(
    "--- a/f\n+++ b/f\n@@ -249998,7 +249998,7 @@\n line 249997\n line 249998\n line 249999\n-line 250000\n+another\n line 250001\n line 250002\n line 250003\n",
  );
});

test("texts of which too much differs are shown as removed and added, as often as they are compared", async () => {
  const numbered = Array.from({ length: 3000 }, (_, index) => `line ${index}\n`);
  const changed = (every: number): string =>
    numbered.map((line, index) => (index % every === 0 ? `changed ${index}\n` : line)).join("");
  const before = numbered.join("");
  // Each changed line is one that is removed and one that is added.
  expect((await diffOf("f", before, changed(10))).match(/^-/gm)).toHaveLength(300 + 1);
  const replaced = await diffOf("f", before, changed(5));
  expect(replaced.match(/^@@ .*/gm)).toEqual(["@@ -1,2999 +1,2999 @@"]);
  expect(replaced.match(/^-/gm)).toHaveLength(2999 + 1);
});

test("changes that lie megabytes apart are shown as all that is between them, removed and added", async () => {
  const middle = "same\n".repeat(500_000);
  const diff = await diffOf("f", `first\n${middle}last`, `First\n${middle}Last\n`);
  expect(diff.startsWith("--- a/f\n+++ b/f\n@@ -1,500002 +1,500002 @@\n-first\n-same\n")).toBe(true);
  expect(diff.endsWith("+same\n+Last\n")).toBe(true);
  expect(diff).toContain("-last\n\\ No newline at end of file\n+First\n");
});

test("a file that is made, emptied or removed", async () => {
  expect(await diffOf("f", undefined, "a\n")).toBe("--- /dev/null\n+++ b/f\n@@ -0,0 +1,1 @@\n+a\n");
  expect(await diffOf("f", undefined, "")).toBe("--- /dev/null\n+++ b/f\n");
  expect(await diffOf("f", "a\nb", "")).toBe(
    "--- a/f\n+++ b/f\n@@ -1,2 +0,0 @@\n-a\n-b\n\\ No newline at end of file\n",
  );
  expect(await diffOf("f", "a\n", undefined)).toBe("--- a/f\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-a\n");
});
