import { existsSync } from "node:fs";
import { cp, mkdir, rename, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { syncFolder } from "../durable-file.ts";
import { DomainError } from "../errors.ts";
import { sync } from "./blob-files.ts";
import { backupInvalid, hashFile, MANIFEST, readManifest } from "./manifest.ts";

/**
 * Moves a backup into another folder, also on another disk; it has its name there only when all of it is there. Resolves with
 * its new path. Throws DomainError `STORAGE_FULL`, `BACKUP_INVALID`; the backup is where it was then.
 */
export async function moveBackup(path: string, parent: string): Promise<string> {
  const target = join(parent, basename(path));
  if (existsSync(target)) throw new DomainError("already_exists", "BACKUP_EXISTS", `${target} is there already`);
  await mkdir(parent, { recursive: true, mode: 0o700 });
  try {
    await rename(path, target);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EXDEV") throw error;
    await copyBackup(path, parent, target);
    await rm(path, { recursive: true });
  }
  syncFolder(parent);
  return target;
}

async function copyBackup(path: string, parent: string, target: string): Promise<void> {
  const partial = join(parent, `.${basename(path)}.partial`);
  try {
    await cp(path, partial, { recursive: true, errorOnExist: true });
    for (const { path: file, bytes, sha256 } of readManifest(partial).files) {
      const copied = await hashFile(join(partial, file));
      if (copied.bytes !== bytes || copied.sha256 !== sha256)
        throw backupInvalid(`${file} was not copied whole; try again`);
      await sync(join(partial, file));
    }
    await sync(join(partial, MANIFEST));
    syncFolder(partial);
    await rename(partial, target);
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
    const message = `there is no room for the backup in ${parent}; it stays in ${path}`;
    throw new DomainError("exhausted", "STORAGE_FULL", message, {}, { cause: error });
  }
}
