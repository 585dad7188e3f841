import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { makeTempDir } from "../helpers/engine-process.ts";

/** Lets an engine be asked how many bytes are alive in it. */
export interface LiveMemory {
  /** For the engine's start. */
  readonly env: Readonly<Record<string, string>>;
  /** Bytes of objects and buffers that are left after a collection. */
  ask(pid: number): Promise<number>;
}

export function createLiveMemory(): LiveMemory {
  const file = join(makeTempDir("live"), "bytes");
  const hook = join(import.meta.dirname, "live-memory-hook.ts");
  return {
    env: { NODE_OPTIONS: `--expose-gc --import=${hook}`, PARLEY_FAULT_LIVE: file },
    async ask(pid) {
      rmSync(file, { force: true });
      process.kill(pid, "SIGUSR2");
      while (!existsSync(file)) await pause(10);
      return Number(readFileSync(file, "utf8"));
    },
  };
}
