import { expect, test } from "vitest";
import { createOutput } from "../output.ts";
import { createPage } from "./page.ts";
import { createRunningOutput } from "./running-output.ts";

function setUp() {
  const stream = { isTTY: true, columns: 30, write: () => true } as unknown as NodeJS.WriteStream;
  const output = createOutput(stream, { color: false, env: {} });
  let shown = "";
  const running = createRunningOutput(output, createPage(output, { onPreview: (text) => (shown = text) }));
  return {
    ...running,
    lines: () =>
      shown === ""
        ? []
        : shown
            .trim()
            .split("\n")
            .map((line) => line.trim()),
  };
}

test("the last lines of what a call prints are shown while it runs, and nothing of them after it", () => {
  const { add, end, lines } = setUp();
  add("c", "one\ntwo");
  expect(lines()).toEqual(["│ one", "│ two"]);
  add("c", " more\n");
  expect(lines()).toEqual(["│ one", "│ two more"]);
  for (let i = 0; i < 20; i++) add("c", `line ${i}\n`);
  expect(lines()).toEqual([14, 15, 16, 17, 18, 19].map((i) => `│ line ${i}`));
  end("c");
  expect(lines()).toEqual([]);
});

test("two calls at once stand under each other, and the end of one leaves the other", () => {
  const { add, end, lines } = setUp();
  add("a", "of a\n");
  add("b", "of b\n");
  expect(lines()).toEqual(["│ of a", "│ of b"]);
  end("a");
  expect(lines()).toEqual(["│ of b"]);
});

test("a bar of progress is the one it is now, what is wide is cut, and nothing steers the terminal", () => {
  const { add, lines } = setUp();
  add("c", "10 %\r");
  add("c", "20 %\r");
  expect(lines()).toEqual(["│ 20 %"]);
  add("c", `\n${"x".repeat(5000)}\n\u001B[2Jend`);
  expect(lines()[1]?.length).toBeLessThan(30);
  expect(lines()[2]).toBe("│ ␛[2Jend");
});
