import { expect, test } from "vitest";
import { cancelTrueFigures, leftByGroup, runCancelTrue } from "./cancel-true.ts";
import { missed } from "./figure.ts";

test("cancelling a turn leaves no process of its call, tells which it ended, and the next turn runs", async () => {
  expect(missed(cancelTrueFigures(await runCancelTrue(2)))).toEqual([]);
});

test("control: ending the process group alone leaves what detached itself", async () => {
  expect(await leftByGroup()).toBe(1);
});
