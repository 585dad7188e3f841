import { expect, test } from "vitest";
import { backupFullDisk, backupLoad } from "./backup-load.ts";
import { hasCompiler } from "./disk-shim.ts";
import { missed } from "./figure.ts";

test(
  "a backup made while sessions stream holds all that was shown before, and clients from before are told",
  { timeout: 900_000 },
  async () => {
    // How long its gaps are is a matter of the machine; the long form looks at them.
    const figures = (await backupLoad(2)).filter(({ what }) => !what.includes("gap"));
    expect(missed(figures)).toEqual([]);
  },
);

test.skipIf(!hasCompiler)("a backup without room is told so, leaves nothing, and costs no turn", async () => {
  expect(missed(await backupFullDisk())).toEqual([]);
});
