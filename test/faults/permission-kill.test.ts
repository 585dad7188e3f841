import { expect, test } from "vitest";
import { missed } from "./figure.ts";
import { permissionKillFigures, runPermissionKill, runShownTooEarly } from "./permission-kill.ts";

test("permissions of engines that are killed wait on with everything in them, and their answers run their calls once", async () => {
  expect(missed(permissionKillFigures(await runPermissionKill(3)))).toEqual([]);
});

test("control: what is shown before it is stored is lost", async () => {
  expect(await runShownTooEarly(100)).toBeGreaterThan(0);
});
