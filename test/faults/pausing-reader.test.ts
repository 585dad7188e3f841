import { expect, test } from "vitest";
import { missed } from "./figure.ts";
import { pausingReader } from "./pausing-reader.ts";

test("readers that stop in the middle get the exact text, and nothing is kept for them", async () => {
  expect(missed(await pausingReader(3))).toEqual([]);
});
