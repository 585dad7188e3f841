import { expect, test } from "vitest";
import { missed } from "./figure.ts";
import { snapshotWatch } from "./snapshot-watch.ts";

test("a snapshot of a running turn and what is watched after it are the whole", async () => {
  expect(missed(await snapshotWatch(80))).toEqual([]);
});
