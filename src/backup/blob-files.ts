import { constants } from "node:fs";
import { copyFile, link, mkdir, open, readdir } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";

/** A blob's file is named by its content; what is still being uploaded has another name. */
const BLOB_NAME = /^[0-9a-f]{64}$/;

/** Puts the blobs of one folder into another too, those that are not there yet; never changed, they share their bytes where they can. */
export async function gatherBlobs(from: string, to: string): Promise<void> {
  for (const file of await listBlobs(from)) {
    const target = join(to, file);
    await mkdir(dirname(target), { recursive: true, mode: 0o700 });
    await shareFile(join(from, file), target);
  }
}

/** Blobs below a folder, by their paths in it with `/`; none where there is no such folder. */
export async function listBlobs(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(noneIfMissing);
  return entries
    .filter((entry) => entry.isFile() && BLOB_NAME.test(entry.name))
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).replaceAll(sep, "/"))
    .sort();
}

async function shareFile(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // Removed since it was listed: nothing that was stored meanwhile wants it.
    if (code === "EEXIST" || code === "ENOENT") return;
    // Another disk, a file system without links, or too many of them.
    await copyFile(from, to, constants.COPYFILE_EXCL);
    await sync(to);
  }
}

/** Waits until a file's bytes, or the names in a folder, are on the disk. */
export async function sync(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function noneIfMissing(error: NodeJS.ErrnoException): [] {
  if (error.code === "ENOENT") return [];
  throw error;
}
