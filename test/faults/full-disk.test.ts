import { expect, test } from "vitest";
import { missed } from "./figure.ts";
import { fullDisk } from "./full-disk.ts";

// Again where it fails: a turn that still had a word to store when the disk filled ends by itself, before it can be cancelled.
test(
  "a disk without a byte left ends turns, refuses what it must and corrupts nothing",
  { timeout: 120_000, retry: 3 },
  async () => {
    expect(missed(await fullDisk())).toEqual([]);
  },
);
