import { expect, test } from "vitest";
import { runConformance } from "./conformance/suite.ts";

test("the server passes the Connect conformance suite", async (context) => {
  const result = await runConformance(() => {});
  if (result.kind === "missing") {
    // On a developer's machine Go may be missing; in CI a suite that did not run is a failure.
    if (process.env["CI"] === "true") throw new Error(result.reason);
    return context.skip(result.reason);
  }
  const runs = [...result.output.matchAll(/^(\d+) passed, (\d+) failed/gm)].map(([, ...counts]) => counts.map(Number));
  expect(runs.map(([, failed]) => failed)).toEqual([0, 0]);
  expect(runs.reduce((sum, [passed = 0]) => sum + passed, 0)).toBeGreaterThanOrEqual(1900);
  expect(result.exitCode).toBe(0);
});
