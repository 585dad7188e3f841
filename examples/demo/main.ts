// npm run demo
//
// A tour of what an agent and its humans do, played on an engine of its own in a temporary folder; nothing is left of it.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createOutput } from "../../src/cli/output.ts";
import { startEngine } from "./engine.ts";
import { playTour } from "./tour.ts";

const LIMIT_MS = 60_000;

const folder = mkdtempSync(join(tmpdir(), "parley-demo-"));
const leaving = new AbortController();
const leave = (): void => leaving.abort(new Error("interrupted"));
process.on("SIGINT", leave);
process.on("SIGTERM", leave);
const tooLate = setTimeout(() => leaving.abort(new Error(`it took longer than ${LIMIT_MS / 1000} s`)), LIMIT_MS);

try {
  const engine = await startEngine(join(folder, "data"));
  try {
    const output = createOutput(process.stdout, { color: true, env: process.env });
    await playTour({ output, engine, workspace: join(folder, "work"), signal: leaving.signal });
  } finally {
    await engine.stop();
  }
} catch (error) {
  const { reason } = leaving.signal as { reason?: Error };
  console.error(`demo: ${(reason ?? (error as Error)).message}`);
  process.exitCode = 1;
} finally {
  clearTimeout(tooLate);
  process.off("SIGINT", leave);
  process.off("SIGTERM", leave);
  rmSync(folder, { recursive: true, force: true });
}
