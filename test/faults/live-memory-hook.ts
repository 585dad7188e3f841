// Preloaded into an engine whose memory is measured: RSS grows for many reasons, what is alive after a collection for one.
import { renameSync, writeFileSync } from "node:fs";

/** What is freed in the background, and what the end of a call lets go of, takes a turn of the event loop or two. */
const COLLECTIONS = 4;
const BETWEEN_MS = 50;

process.on("SIGUSR2", () => collect(COLLECTIONS));

function collect(left: number): void {
  globalThis.gc?.();
  if (left > 1) return void setTimeout(collect, BETWEEN_MS, left - 1);
  const { heapUsed, external } = process.memoryUsage();
  const file = process.env["PARLEY_FAULT_LIVE"] ?? "";
  writeFileSync(`${file}.part`, String(heapUsed + external));
  renameSync(`${file}.part`, file);
}
