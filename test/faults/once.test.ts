import { expect, test } from "vitest";
import { missed, untilFound } from "./figure.ts";
import { onceFigures, runOnce } from "./once.ts";

test("of 8 answers at once one wins, seven are told who did, and who waits is told its answer", async () => {
  expect(missed(onceFigures(await runOnce(30)))).toEqual([]);
});

test("control: without compare-and-set several are told that they won", async () => {
  expect(await untilFound(40, async () => (await runOnce(5, false)).wrongWinners)).toBeGreaterThan(0);
});
