import { expect, test } from "vitest";
import { missed } from "./figure.ts";
import { runWaitingKill, waitingKillFigures } from "./waiting-kill.ts";

test("questions, limits and agents of engines that are killed are waited for by the next one, and each counts once", async () => {
  expect(missed(waitingKillFigures(await runWaitingKill(4)))).toEqual([]);
});
