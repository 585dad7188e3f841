import { expect, test } from "vitest";
import { auditKill } from "./audit-kill.ts";
import { missed } from "./figure.ts";

test("engines that are killed leave an audit log that tells of every change once, and whose chain is whole", async () => {
  expect(missed(await auditKill(3))).toEqual([]);
});
