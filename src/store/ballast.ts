import { existsSync, rmSync } from "node:fs";
import { open, rm } from "node:fs/promises";

/** Enough for some thousand ends of turns and removals on a disk that has no byte left. */
const BALLAST_BYTES = 16 * 1024 * 1024;

export interface Ballast {
  /** Gives the space up. True when there was some to give. */
  release(): boolean;
  /** Resolves when it is there, or the disk has no room for it. */
  readonly filled: Promise<void>;
}

/** Keeps a file of zeros beside the database, to be given up when the disk is full and ends must still be stored. */
export function createBallast(path: string): Ballast {
  return {
    filled: existsSync(path) ? Promise.resolve() : fill(path),
    release() {
      if (!existsSync(path)) return false;
      rmSync(path);
      return true;
    },
  };
}

async function fill(path: string): Promise<void> {
  const file = await open(path, "wx", 0o600);
  try {
    const zeros = new Uint8Array(1024 * 1024);
    for (let written = 0; written < BALLAST_BYTES; written += zeros.length) await file.write(zeros);
    await file.datasync();
  } catch {
    // A disk too full for it is no reason not to run: the engine then only lacks the reserve.
    await rm(path, { force: true });
  } finally {
    await file.close();
  }
}
