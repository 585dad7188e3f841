import { randomBytes } from "node:crypto";
import { constants, type Stats } from "node:fs";
import { lstat, mkdir, open, type FileHandle, rename, rmdir, unlink } from "node:fs/promises";
import { relative } from "node:path";
import type { FileRemoval, FileWrite } from "./file-change.ts";
import { inFolder, type FolderStack, type OpenFolder } from "./folder-stack.ts";
import { pathRefused } from "./path-refused.ts";
import { checkOrdinaryDisk, readAt } from "./safe-file.ts";
import { type PathGuard, withPath } from "./safe-path.ts";

const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;

/**
 * Replaces a file, or makes it with the folders above it. Whoever reads it meanwhile, and a system that crashes, finds the old
 * bytes or the new ones; other hard links keep the old ones. One that holds the new bytes already is left as it is. Throws
 * DomainError `PATH_*`, and what `make` and `around` throw.
 */
export function writeSafely(
  guard: PathGuard,
  workspace: string,
  given: string,
  { make, around, mode = 0o666 }: FileWrite,
): Promise<void> {
  return withPath(guard, workspace, { given, access: "write" }, async (at) => {
    if (at.last === "") throw pathRefused("PATH_NOT_A_FILE", given, "it is a folder");
    const before = at.stats === undefined ? undefined : await readAt(guard, workspace, at, given);
    const after = await make(before);
    if (before?.bytes.equals(after) === true) return;
    const change = { path: relative(workspace, at.path), before, after, newFolders: at.missing.length };
    await around(change, async () => {
      for (const name of at.missing) {
        await makeFolder(at.stack.top(), name);
        await at.stack.enter(name);
      }
      const folder = at.stack.top();
      await checkOrdinaryDisk(folder, at.last, given);
      await replaceIn(folder, { name: at.last, given }, after, before?.stats ?? { mode });
    });
  });
}

/** Removes a file. Throws DomainError `PATH_*`, and what `check` and `around` throw. */
export function removeSafely(
  guard: PathGuard,
  workspace: string,
  given: string,
  { around, check, folders = 0 }: FileRemoval,
): Promise<void> {
  return withPath(guard, workspace, { given, access: "write" }, async (at) => {
    const before = await readAt(guard, workspace, at, given);
    check?.(before);
    const change = { path: relative(workspace, at.path), before, after: undefined, newFolders: 0 };
    await around(change, async () => {
      await checkUnchanged(at.stack.top(), { name: at.last, given }, before.stats);
      await unlink(inFolder(at.stack.top(), at.last));
      await removeEmpty(at.stack, folders);
    });
  });
}

async function makeFolder(folder: OpenFolder, name: string): Promise<void> {
  try {
    await mkdir(inFolder(folder, name));
  } catch (error) {
    // Somebody else made it; entering it tells whether it is a folder.
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}

/** Goes up from a folder, removing so many while nothing is in them. */
async function removeEmpty(stack: FolderStack, count: number): Promise<void> {
  for (let left = count; left > 0; left--) {
    const { name } = stack.top();
    if (!(await stack.leave())) return;
    try {
      await rmdir(inFolder(stack.top(), name));
    } catch (error) {
      // It holds something else, is gone, or is another one by now: none of ours to remove.
      if (["ENOTEMPTY", "EEXIST", "ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return;
      throw error;
    }
  }
}

interface Named {
  /** In an open folder. */
  readonly name: string;
  readonly given: string;
}

/** Both names are looked up in the one open folder, so nothing put in its place moves the file elsewhere. */
async function replaceIn(
  folder: OpenFolder,
  named: Named,
  bytes: Uint8Array,
  before: Stats | Pick<Stats, "mode">,
): Promise<void> {
  const temporary = inFolder(folder, `.parley-${randomBytes(8).toString("hex")}.tmp`);
  const handle = await open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, before.mode & 0o777);
  try {
    try {
      if ("uid" in before) await handOver(handle, before);
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await checkUnchanged(folder, named, "uid" in before ? before : undefined);
    await rename(temporary, inFolder(folder, named.name));
  } catch (error) {
    await unlink(temporary);
    throw error;
  }
}

/** What the change was made from must be what it replaces: a person may have saved the file in between. */
async function checkUnchanged(folder: OpenFolder, { name, given }: Named, before: Stats | undefined): Promise<void> {
  const now = await lstat(inFolder(folder, name)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  const isSame = (["dev", "ino", "size", "mtimeMs"] as const).every((field) => now?.[field] === before?.[field]);
  if (!isSame)
    throw pathRefused("PATH_CHANGED", given, "somebody changed it meanwhile, and it was left so; read it again");
}

/** The new file belongs to whom the old one belonged to, with its mode, which the umask has cut. */
async function handOver(handle: FileHandle, before: Stats): Promise<void> {
  const now = await handle.stat();
  // Before chmod: a change of owner takes bits of the mode away.
  if (now.uid !== before.uid || now.gid !== before.gid) await handle.chown(before.uid, before.gid);
  await handle.chmod(before.mode & 0o777);
}
