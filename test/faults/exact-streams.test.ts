import { expect, test } from "vitest";
import { exactStreams } from "./exact-streams.ts";
import { missed } from "./figure.ts";

test("a watcher that is dropped and comes back has the exact text, over every protocol", async () => {
  expect(missed(await exactStreams({ words: 400, wordsPerSecond: 200, drops: 10 }))).toEqual([]);
});
