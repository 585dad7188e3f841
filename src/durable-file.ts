import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** What is asked of a disk so that a power cut leaves a file as it was or as it should be. */
export interface Disk {
  /** A new file that its owner alone can read, on the disk when this returns. */
  write(file: string, text: string): void;
  rename(from: string, to: string): void;
  remove(file: string): void;
  /** Makes the names in a folder outlive a power cut. */
  syncFolder(folder: string): void;
}

const systemDisk: Disk = {
  write: (file, text) => writeFileSync(file, text, { mode: 0o600, flag: "wx", flush: true }),
  rename: renameSync,
  remove: (file) => rmSync(file, { force: true }),
  syncFolder,
};

/**
 * Whole or not at all, and from its first moment readable by its owner alone. Its bytes are on the disk before it has its
 * name, else a power cut could leave the name of an empty file; its name is there when this returns.
 */
export function writeAtomically(file: string, text: string, disk: Disk = systemDisk): void {
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    disk.remove(temporary);
    disk.write(temporary, text);
    disk.rename(temporary, file);
    disk.syncFolder(dirname(file));
  } catch (error) {
    disk.remove(temporary);
    throw error;
  }
}

export function syncFolder(folder: string): void {
  const handle = openSync(folder, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
