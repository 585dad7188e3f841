import { expect, test } from "vitest";
import { missed, untilFound } from "./figure.ts";
import { firstMomentFigures, permissionOnceFigures, runFirstMoment, runPermissionOnce } from "./permission-once.ts";

test("of eight answers to a permission at once one counts, and the call does as it says", async () => {
  expect(missed(permissionOnceFigures(await runPermissionOnce(20)))).toEqual([]);
});

test("without compare-and-set several answers count", async () => {
  expect(await untilFound(20, async () => (await runPermissionOnce(10, false)).wrongWinners)).toBeGreaterThan(0);
});

test("no answer at the first moment is lost, and no second click is for the next call", async () => {
  expect(missed(firstMomentFigures(await runFirstMoment(200)))).toEqual([]);
});
