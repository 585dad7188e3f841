import { expect, test } from "vitest";
import { auditKill } from "./audit-kill.ts";
import { missed } from "./figure.ts";

test(
  "engines that are killed leave an audit log that tells of every change once, and whose chain is whole",
  { timeout: 180_000 },
  async () => {
    expect(missed(await auditKill(3))).toEqual([]);
  },
);
