import { expect, test } from "vitest";
import { missed } from "./figure.ts";
import { startupFaults } from "./startup-faults.ts";

test("a start that cannot succeed ends with one line that says what to do, and changes nothing", async () => {
  expect(missed(await startupFaults())).toEqual([]);
});
