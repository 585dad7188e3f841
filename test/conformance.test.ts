import { expect, test } from "vitest";
import { runConformance } from "./conformance/suite.ts";

// Once more where it fails: some of its 1,900 cases hold the server to half a second, and other tests run on the same cores.
test("the server passes the Connect conformance suite", { timeout: 300_000, retry: 1 }, async (context) => {
  const result = await runConformance(() => {});
  if (result.kind === "missing") {
    // On a developer's machine Go may be missing; in CI a suite that did not run is a failure.
    if (process.env["CI"] === "true") throw new Error(result.reason);
    return context.skip(result.reason);
  }
  expect(result.output).toMatch(/\n[1-9]\d{3} passed, 0 failed/);
  expect(result.exitCode).toBe(0);
});
