import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** All that tests leave in temporary folders, engines' data most of all, lies in one of the run, and goes with it. */
export default function setup(): () => void {
  const folder = mkdtempSync(join(tmpdir(), "parley-test-"));
  process.env["TMPDIR"] = folder;
  return () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}
