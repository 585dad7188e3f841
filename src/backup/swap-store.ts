import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { syncFolder, writeAtomically } from "../durable-file.ts";
import { DomainError } from "../errors.ts";
import { BLOBS, STORE } from "./manifest.ts";

/** All that is the store. A log without its database, or the other way round, would be another store. */
const PARTS = [STORE, `${STORE}-wal`, `${STORE}-shm`, BLOBS] as const;

/** While it is there, parts of two stores may be in place. */
const MARKER = "restore.json";

interface Swap {
  /** Where the old store goes, inside the data directory. */
  readonly aside: string;
  /** The parts that it had. */
  readonly had: readonly string[];
}

/**
 * Puts the store in `staged` in the place of the data directory's, which goes to `aside`. All or nothing: what fails is
 * taken back, and what a kill or a power cut leaves half-done is taken back by `undoCutOffSwap` at the next start.
 */
export function swapStore(
  dataDir: string,
  staged: string,
  aside: string,
  rename: (from: string, to: string) => void = renameSync,
): void {
  const swap: Swap = { aside: basename(aside), had: PARTS.filter((part) => existsSync(join(dataDir, part))) };
  mkdirSync(aside, { mode: 0o700 });
  writeAtomically(join(dataDir, MARKER), `${JSON.stringify(swap)}\n`);
  try {
    for (const part of swap.had) rename(join(dataDir, part), join(aside, part));
    for (const part of PARTS) if (existsSync(join(staged, part))) rename(join(staged, part), join(dataDir, part));
    syncFolder(aside);
    syncFolder(dataDir);
  } catch (error) {
    undoCutOffSwap(dataDir);
    throw error;
  }
  rmSync(join(dataDir, MARKER));
  syncFolder(dataDir);
}

/** Puts a store back that was being replaced when the program or the machine died. True: there was one. Wants the lock. */
export function undoCutOffSwap(dataDir: string): boolean {
  const swap = readSwap(join(dataDir, MARKER));
  if (swap === undefined) return false;
  const aside = join(dataDir, swap.aside);
  for (const part of PARTS) {
    const [here, kept] = [join(dataDir, part), join(aside, part)];
    if (existsSync(kept)) {
      rmSync(here, { recursive: true, force: true });
      renameSync(kept, here);
    } else if (!swap.had.includes(part)) {
      rmSync(here, { recursive: true, force: true });
    }
  }
  rmSync(aside, { recursive: true, force: true });
  syncFolder(dataDir);
  rmSync(join(dataDir, MARKER));
  syncFolder(dataDir);
  return true;
}

function readSwap(file: string): Swap | undefined {
  if (!existsSync(file)) return undefined;
  const swap = parse(readFileSync(file, "utf8"));
  if (typeof swap?.aside === "string" && Array.isArray(swap.had)) {
    // Never anywhere else, whoever wrote it.
    return { aside: basename(swap.aside), had: swap.had };
  }
  throw new DomainError(
    "unavailable",
    "RESTORE_UNCLEAR",
    `a restore was cut off, and ${file} does not say how far it was; put the parts in the newest before-restore folder back and remove that file`,
  );
}

function parse(text: string): Partial<Swap> | undefined {
  try {
    return JSON.parse(text) as Partial<Swap>;
  } catch {
    return undefined;
  }
}
