import { expect, test } from "vitest";
import { missed } from "./figure.ts";
import { figuresOf, lossesOf, runKillLoop } from "./kill-loop.ts";

test("engines killed at random moments lose nothing that they showed or answered", { timeout: 900_000 }, async () => {
  const result = await runKillLoop({ kills: 12 });
  expect([...result.complaints, ...result.violations]).toEqual([]);
  // How often the counted tool ran is a matter of chance in so few lives.
  expect(missed(figuresOf("kill -9", { ...result, marks: 1 }))).toEqual([]);
});

test("control: an engine that publishes before its commit is found out", { timeout: 900_000 }, async () => {
  expect(lossesOf(await runKillLoop({ kills: 60, variant: "publish-early", stopsAtFirst: true }))).toBeGreaterThan(0);
});
