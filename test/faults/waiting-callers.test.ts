import { expect, test } from "vitest";
import { missed } from "./figure.ts";
import { runWaitingCallers, waitingFigures } from "./waiting-callers.ts";

test("callers who wait for answers cost little memory, and all are told", async () => {
  expect(missed(waitingFigures(await runWaitingCallers(200)))).toEqual([]);
});
