import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    globalSetup: "test/helpers/temporary-folder.ts",
    pool: "forks",
    maxWorkers: 2,
    // No test asserts how fast the machine is: these are only there so that a hang ends, and is one after minutes, too.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    teardownTimeout: 60_000,
    // Shorter than a test, so that a wait that fails says what it waited for.
    expect: { poll: { timeout: 120_000 } },
    // In CI a test.only would hide the rest.
    allowOnly: process.env["CI"] !== "true",
    passWithNoTests: false,
  },
});
