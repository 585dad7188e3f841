import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { diskEnv } from "./disk-shim.ts";
import { control, type Figure } from "./figure.ts";
import { explain, figuresOf, type KillLoopOptions, type KillLoopResult, lossesOf, runKillLoop } from "./kill-loop.ts";

const TWIN = ".durable";

/** What a disk writes whole or not at all. */
const SECTOR_BYTES = 512;

/** Cuts the power at random moments: nothing of what was shown may be lost; with synchronous=NORMAL something is. */
export async function powerCut(cuts: number): Promise<Figure[]> {
  const result = await runPowerCuts({ kills: cuts });
  explain(result);
  const normal = await runPowerCuts({ kills: 20, variant: "synchronous-normal", stopsAtFirst: true });
  return [...figuresOf("power cut", result), control("synchronous = NORMAL", lossesOf(normal), "losses")];
}

/** The kill loop on a disk that forgets what was not synced. */
export async function runPowerCuts(options: Omit<KillLoopOptions, "betweenLives" | "env">): Promise<KillLoopResult> {
  return runKillLoop({
    ...options,
    env: (dir) => diskEnv({ dir, twins: true }),
    betweenLives: (dataDir, life) => cutPower(dataDir, life % 2 === 0 ? "nothing" : "some"),
  });
}

/** Leaves in a dead engine's folder what its disk would hold: of what was not synced nothing, or some sectors by chance. */
function cutPower(dataDir: string, unsynced: "nothing" | "some"): void {
  const names = readdirSync(dataDir);
  for (const name of names) {
    // A file without a twin was not opened by the engine that died: it is as it was found.
    const file = join(dataDir, name);
    if (/\.db-(shm|journal)$/.test(name)) rmSync(file);
    else if (name.endsWith(TWIN)) {
      const real = file.slice(0, -TWIN.length);
      if (unsynced === "nothing" || !names.includes(name.slice(0, -TWIN.length))) renameSync(file, real);
      else {
        writeFileSync(real, mixSectors(readFileSync(file), readFileSync(real)));
        rmSync(file);
      }
    }
  }
}

function mixSectors(synced: Buffer, written: Buffer): Buffer {
  const size = Math.random() < 0.5 ? synced.length : written.length;
  const mixed = Buffer.alloc(size);
  synced.copy(mixed);
  for (let start = 0; start < size; start += SECTOR_BYTES) {
    if (start >= synced.length || Math.random() < 0.5) written.copy(mixed, start, start, start + SECTOR_BYTES);
  }
  return mixed;
}
