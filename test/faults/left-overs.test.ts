import { expect, test } from "vitest";
import { missed } from "./figure.ts";
import { leftOversFigures, runLeftOvers } from "./left-overs.ts";

test("what a killed engine's call and job have left is ended by the next start; without the mark it is not", async () => {
  expect(missed(leftOversFigures(await runLeftOvers(1)))).toEqual([]);
});
