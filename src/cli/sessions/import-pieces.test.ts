import { expect, test } from "vitest";
import { cutIntoBlobs } from "./import-pieces.ts";

async function cut(chunks: readonly string[], maxBytes: number): Promise<string[]> {
  async function* source(): AsyncGenerator<Uint8Array> {
    for (const chunk of chunks) yield Buffer.from(chunk);
  }
  const pieces: string[] = [];
  for await (const piece of cutIntoBlobs(source(), maxBytes)) pieces.push(Buffer.from(piece).toString());
  return pieces;
}

test("pieces are as large as they may be, and together are the file", async () => {
  expect(await cut(["abc", "defgh", "i"], 4)).toEqual(["abcd", "efgh", "i"]);
  expect(await cut(["abcdefghijkl"], 4)).toEqual(["abcd", "efgh", "ijkl"]);
  expect(await cut(["a", "", "b"], 4)).toEqual(["ab"]);
});

test("of nothing there is no piece", async () => {
  expect(await cut([], 4)).toEqual([]);
  expect(await cut([""], 4)).toEqual([]);
});
