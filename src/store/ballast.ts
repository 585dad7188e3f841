import { rmSync, statfsSync, statSync } from "node:fs";
import { open, rm } from "node:fs/promises";
import { dirname } from "node:path";

/** Enough for some thousand ends of turns and removals on a disk that has no byte left. */
const BALLAST_BYTES = 16 * 1024 * 1024;

export interface Ballast {
  /** Gives the space up, for what must be stored. True when there was some to give. */
  release(): boolean;
  /**
   * Whether the space was given up and the disk has no room for it again. What need not be stored is refused until then: it
   * would take the space of what must.
   */
  isSpent(): boolean;
  /** Resolves when nothing more is written to the file. */
  close(): Promise<void>;
}

/** Keeps a file of zeros beside the database, to be given up when the disk is full and ends must still be stored. */
export function createBallast(path: string): Ballast {
  /** `none`: the disk had no room for it from the beginning. */
  let state: "none" | "filling" | "there" | "spent" = "none";
  let filling: Promise<void> = Promise.resolve();

  function refill(otherwise: "none" | "spent"): void {
    state = "filling";
    filling = fill(path).then((isThere) => {
      // Released meanwhile: its space is free as soon as the file is closed, which it is now.
      if (state === "filling") state = isThere ? "there" : otherwise;
    });
  }

  // A start that was cut off leaves a part of it.
  if (statSync(path, { throwIfNoEntry: false })?.size === BALLAST_BYTES) state = "there";
  else refill("none");

  return {
    release() {
      if (state === "none" || state === "spent") return false;
      state = "spent";
      rmSync(path, { force: true });
      return true;
    },
    isSpent() {
      if (state === "spent" && freeBytes(dirname(path)) >= 2 * BALLAST_BYTES) refill("spent");
      return state === "spent";
    },
    close: () => filling,
  };
}

function freeBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

/** False where the disk is too full for it: no reason not to run, the engine then only lacks the reserve. */
async function fill(path: string): Promise<boolean> {
  try {
    await rm(path, { force: true });
    const file = await open(path, "wx", 0o600);
    try {
      const zeros = new Uint8Array(1024 * 1024);
      for (let written = 0; written < BALLAST_BYTES; written += zeros.length) await file.write(zeros);
      await file.datasync();
    } finally {
      await file.close();
    }
    return true;
  } catch {
    await rm(path, { force: true });
    return false;
  }
}
