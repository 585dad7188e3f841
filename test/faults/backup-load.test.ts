import { expect, test } from "vitest";
import { backupFullDisk, backupLoad } from "./backup-load.ts";
import { hasCompiler } from "./disk-shim.ts";
import { missed } from "./figure.ts";

test(
  "a backup made while sessions stream holds all that was shown before, and clients from before are told",
  { timeout: 900_000 },
  async () => {
    expect(missed(await backupLoad(2))).toEqual([]);
  },
);

test.skipIf(!hasCompiler)("a backup without room is told so, leaves nothing, and costs no turn", async () => {
  expect(missed(await backupFullDisk())).toEqual([]);
});
