import { expect, test } from "vitest";
import { LineTooLong, readLines } from "./lines.ts";

async function* cut(text: string, size: number): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}

async function linesOf(text: string, size: number, maxBytes = 100): Promise<(readonly [number, string])[]> {
  const lines: (readonly [number, string])[] = [];
  for await (const { number, bytes } of readLines(cut(text, size), maxBytes)) lines.push([number, bytes.toString()]);
  return lines;
}

test("lines are the same however their bytes come", async () => {
  const text = "first\n\nzwei 🦜é\r\nlast";
  for (let size = 1; size <= 30; size++) {
    expect(await linesOf(text, size)).toEqual([
      [1, "first"],
      [2, ""],
      [3, "zwei 🦜é\r"],
      [4, "last"],
    ]);
  }
  expect(await linesOf("", 1)).toEqual([]);
  expect(await linesOf("\n", 1)).toEqual([[1, ""]]);
});

test("a line that is too long is refused by its number, before its end has come", async () => {
  const text = `ok\n${"x".repeat(11)}\n`;
  for (const size of [1, 5, 100]) {
    await expect(linesOf(text, size, 10)).rejects.toMatchObject({ line: 2 });
    expect(await linesOf(text, size, 11)).toHaveLength(2);
  }
  let taken = 0;
  async function* endless(): AsyncGenerator<Uint8Array> {
    for (;;) {
      taken++;
      yield Buffer.alloc(10, "x");
    }
  }
  await expect(readLines(endless(), 100).next()).rejects.toThrow(LineTooLong);
  expect(taken).toBe(11);
});
