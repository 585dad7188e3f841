import { EventEmitter } from "node:events";
import { beforeEach, expect, test, vi } from "vitest";
import { createOutput } from "../output.ts";
import { createScreen, type Footer, type Screen } from "./screen.ts";
import { lastRows, placeAfter, rowsOf } from "./screen-rows.ts";

/** A terminal that keeps what is written to it. */
class FakeTerminal extends EventEmitter {
  isTTY = true;
  columns = 20;
  rows = 10;
  written = "";
  write(text: string): boolean {
    this.written += text;
    return true;
  }
}

let terminal: FakeTerminal;
let footer: Footer;
let screen: Screen;
beforeEach(() => {
  vi.useFakeTimers();
  terminal = new FakeTerminal();
  footer = { lines: ["", "› typed", "state"], cursorAfter: "\n› typed" };
  const stdout = terminal as unknown as NodeJS.WriteStream;
  const output = createOutput(stdout, { color: false, env: {} });
  screen = createScreen({ output, stdout, footer: () => footer });
  return () => vi.useRealTimers();
});

/** What was written since, without what turns drawing on and off. */
function drawn(): string {
  vi.runAllTimers();
  const { written } = terminal;
  terminal.written = "";
  // oxlint-disable-next-line no-control-regex -- the controls around each picture
  return written.replace(/\u001B\[\?(?:2026|25)[hl]/g, "");
}

test("whole lines are written once, the rest is drawn again with what stands below", () => {
  screen.out.write("one\ntw");
  expect(drawn()).toBe("one\ntw\n\n› typed\nstate\u001B[1A\r\u001B[7C");
  screen.out.write("o");
  // Up to the row of "tw", and all of it anew; "one" is not touched.
  expect(drawn()).toBe("\u001B[2A\r\u001B[Jtwo\n\n› typed\nstate\u001B[1A\r\u001B[7C");
  screen.out.write("\n");
  expect(drawn()).toBe("\u001B[2A\r\u001B[Jtwo\n\n› typed\nstate\u001B[1A\r\u001B[7C");
});

test("many writings are one picture", () => {
  for (let index = 0; index < 100; index++) screen.out.write(`${index} `);
  expect(drawn().split("› typed").length).toBe(2);
});

test("a preview is drawn, and never written", () => {
  screen.preview("**bo");
  expect(drawn()).toContain("**bo\n");
  screen.preview("");
  screen.out.write("bold\n");
  expect(drawn()).not.toContain("**bo");
});

test("after a terminal was made narrower the rows are found where it wrapped them", () => {
  screen.out.write("0123456789abcdef");
  drawn();
  terminal.columns = 10;
  terminal.emit("resize");
  // The open line takes two rows now, and the empty one is below it.
  expect(drawn().startsWith("\u001B[3A\r\u001B[J")).toBe(true);
});

test("an open line that is taller than the terminal shows its end, and is written whole when it is whole", () => {
  const long = "x".repeat(400);
  screen.out.write(long);
  expect(drawn().split("x").length - 1).toBe(20 * (10 - 1 - 3));
  screen.out.write("\n");
  expect(drawn().split("x").length - 1).toBe(400);
});

test("when it is closed the last rows are gone, and an open line stays", () => {
  screen.out.write("one\ntwo");
  drawn();
  screen.close();
  expect(drawn()).toBe("\u001B[2A\r\u001B[Jtwo");
  screen.out.write(" more\n");
  expect(drawn()).toBe(" more\n");
});

test("where nothing stands below, the cursor is behind the text, and every line stays", () => {
  footer = { lines: [], cursorAfter: "" };
  screen.out.write("one\n");
  screen.preview("\ntwo");
  expect(drawn()).toBe("one\n\ntwo");
  screen.preview("");
  screen.out.write("\ntwo!\n");
  expect(drawn()).toBe("\u001B[1A\r\u001B[J\ntwo!\n");
  screen.out.write("three\n");
  expect(drawn()).toBe("\r\u001B[Jthree\n");
});

test("rows are counted as a terminal wraps: by the width of characters, without colours", () => {
  expect(rowsOf("日本語日本語", 5)).toBe(3);
  expect(rowsOf("\u001B[1mabcde\u001B[22m", 5)).toBe(1);
  expect(rowsOf("👩‍👩‍👧👩‍👩‍👧", 4)).toBe(1);
  expect(placeAfter("ab\n日", 10)).toEqual({ row: 1, column: 2 });
  expect(lastRows(["first", "abcdefghij"], 4, 2)).toEqual(["efghij"]);
});
