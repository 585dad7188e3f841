import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    pool: "forks",
    maxWorkers: 2,
    // Engines start, are killed and start again in some tests; on a busy machine of two cores that takes seconds.
    testTimeout: 30_000,
    hookTimeout: 30_000,
    teardownTimeout: 10_000,
    // In CI a test.only would hide the rest.
    allowOnly: process.env["CI"] !== "true",
    passWithNoTests: false,
  },
});
