import { expect, test } from "vitest";
import { missed } from "./figure.ts";
import { snapshotWatch } from "./snapshot-watch.ts";

test("a snapshot of a running turn and what is watched after it are the whole", { timeout: 120_000 }, async () => {
  expect(missed(await snapshotWatch(80))).toEqual([]);
});
