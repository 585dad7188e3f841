import { expect, test } from "vitest";
import { missed } from "./figure.ts";
import { fullDisk } from "./full-disk.ts";

test("a disk without a byte left ends turns, refuses what it must and corrupts nothing", async () => {
  expect(missed(await fullDisk())).toEqual([]);
});
