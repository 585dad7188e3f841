import { existsSync } from "node:fs";
import { delay, systemClock } from "../clock.ts";
import { isDataDirLocked, readEngineFile } from "../data-dir.ts";

/** The engine that has a data directory. */
export interface RunningEngine {
  readonly url: string;
  readonly pid: number;
}

const POLL_MS = 50;

/**
 * Who has the data directory. By its lock, which ends with the process, and not by a process of that number, which may be
 * another one by now: `engine.json` is of the one who has the lock, who removes any other first. `busy`: one that starts or
 * stops, or a command that works on the store.
 */
export function findRunning(dataDir: string): RunningEngine | "busy" | undefined {
  if (!existsSync(dataDir) || !isDataDirLocked(dataDir)) return undefined;
  const file = readEngineFile(dataDir);
  return file === undefined ? "busy" : { url: file.url, pid: file.pid };
}

/** Looks again and again until `isDone`; the last thing seen where that is never so in time. */
export async function untilRunning(
  dataDir: string,
  limitMs: number,
  isDone: (found: ReturnType<typeof findRunning>) => boolean,
): Promise<ReturnType<typeof findRunning>> {
  const signal = AbortSignal.timeout(limitMs);
  for (;;) {
    const found = findRunning(dataDir);
    if (isDone(found) || signal.aborted) return found;
    await delay(systemClock, POLL_MS, signal).catch(() => undefined);
  }
}
