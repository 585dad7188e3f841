import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

// All that tests leave in temporary folders, engines' data most of all, lies in one of the run, and goes with it.
const folder = mkdtempSync(join(tmpdir(), "parley-test-"));

export function setup(): void {
  process.env["TMPDIR"] = folder;
}

export function teardown(): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}
