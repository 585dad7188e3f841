import { appendFileSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createHistoryWalk } from "./history-walk.ts";
import { openTypedHistory, type TypedHistory } from "./typed-history.ts";

let folder: string;
let path: string;
let failures: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "parley-history-"));
  path = join(folder, "chat-history");
  failures = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

const open = (): TypedHistory => openTypedHistory({ path, onFailure: ({ message }) => failures.push(message) });

test("what was typed is there again, with its line feeds, for its owner alone", () => {
  const history = open();
  for (const line of ["one", "two\nlines", "two\nlines", "größe 👩‍👩‍👧"]) history.add(line);
  expect(open().lines).toEqual(["one", "two\nlines", "größe 👩‍👩‍👧"]);
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test("a line that begins with a space is not kept, nor is one that is huge", () => {
  const history = open();
  for (const line of [" secret", "", "x".repeat(8001), "kept"]) history.add(line);
  expect(history.lines).toEqual(["kept"]);
  expect(readFileSync(path, "utf8")).toBe('"kept"\n');
});

test("the file stays bounded, and a file that others can read is closed to them", () => {
  writeFileSync(path, Array.from({ length: 2500 }, (_, index) => `"line ${index}"\n`).join(""), { mode: 0o644 });
  const { lines } = open();
  expect([lines.length, lines.at(-1)]).toEqual([1000, "line 2499"]);
  expect(readFileSync(path, "utf8").split("\n").length).toBe(1001);
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test("what is no line in the file is passed over", () => {
  appendFileSync(path, '"good"\n{"x":1}\n"cut o');
  expect(open().lines).toEqual(["good"]);
});

test("a file that cannot be used is told once, and the chat goes on without it", () => {
  path = join(folder, "missing", "chat-history");
  const history = open();
  history.add("one");
  history.add("two");
  expect(history.lines).toEqual(["one", "two"]);
  expect(failures.length).toBe(1);
});

test("Up goes back, Down comes back to what was being typed", () => {
  const walk = createHistoryWalk(["one", "two"]);
  expect([walk.older("half"), walk.older("two"), walk.older("one")]).toEqual(["two", "one", undefined]);
  expect([walk.newer(), walk.newer(), walk.newer()]).toEqual(["two", "half", undefined]);
});

test("Ctrl-R finds the newest line that holds the text, then older ones, each once", () => {
  const walk = createHistoryWalk(["Make tea", "make it", "other", "make it"]);
  walk.search();
  walk.seek("MAKE");
  expect(walk.searching?.found).toBe("make it");
  walk.search();
  expect(walk.searching?.found).toBe("Make tea");
  walk.search();
  expect(walk.searching?.found).toBe("Make tea");
  walk.seek("nothing like it");
  expect(walk.searching?.found).toBeUndefined();
  walk.stop();
  expect(walk.searching).toBeUndefined();
});
