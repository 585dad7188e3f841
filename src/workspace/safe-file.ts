import { constants, type Stats } from "node:fs";
import { type FileHandle, open, statfs } from "node:fs/promises";
import type { FoundFile } from "./file-change.ts";
import { inFolder, type OpenFolder } from "./folder-stack.ts";
import { pathRefused } from "./path-refused.ts";
import { dataDirectory, isHidden, type PathGuard, type SafePath, withPath } from "./safe-path.ts";

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;

/** Larger files are read by no tool: they would fill the engine's memory before they are cut. */
export const MAX_FILE_BYTES = 16 * 1024 * 1024;

/** Kernel state that looks like files: environments, memory, settings of the system. From linux/magic.h. */
const KERNEL_FILE_SYSTEMS: ReadonlySet<number> = new Set([
  0x9fa0, // proc
  0x62656572, // sysfs
  0x64626720, // debugfs
  0x74726163, // tracefs
  0x27e0eb, // cgroup
  0x63677270, // cgroup2
  0x73636673, // securityfs
]);

/** Reads a file whole. Throws DomainError `PATH_*`. */
export function readSafely(guard: PathGuard, workspace: string, given: string): Promise<FoundFile> {
  return withPath(guard, workspace, { given, access: "read" }, (path) => readAt(guard, workspace, path, given));
}

/** The file that a path leads to; undefined where there is none yet. Throws DomainError `PATH_*`. */
export async function readAt(guard: PathGuard, workspace: string, at: SafePath, given: string): Promise<FoundFile> {
  if (at.last === "") throw pathRefused("PATH_NOT_A_FILE", given, "it is a folder");
  if (at.stats === undefined) throw pathRefused("PATH_NOT_FOUND", given, "there is no such file");
  checkRegular(at.stats, given);
  const handle = await openRegular(guard, workspace, at.stack.top(), { name: at.last, given });
  try {
    const stats = await handle.stat();
    return { path: at.path, stats, bytes: await readWhole(handle, given) };
  } finally {
    await handle.close();
  }
}

/** Opens a regular file of an open folder, and looks at what was opened, not at what had the name before. */
export async function openRegular(
  guard: PathGuard,
  workspace: string,
  folder: OpenFolder,
  { name, given }: { readonly name: string; readonly given: string },
): Promise<FileHandle> {
  // Without O_NONBLOCK, opening a FIFO that was put here waits for its other end for ever.
  const handle = await open(inFolder(folder, name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    const stats = await handle.stat();
    checkRegular(stats, given);
    if (await isHidden(guard, workspace, stats)) throw dataDirectory(given);
    await checkOrdinaryDisk(folder, name, given);
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

function checkRegular(stats: Stats, given: string): void {
  if (stats.isFile()) return;
  if (stats.isDirectory()) throw pathRefused("PATH_NOT_A_FILE", given, "it is a folder");
  const kind = stats.isFIFO()
    ? "a pipe"
    : stats.isSocket()
      ? "a socket"
      : stats.isSymbolicLink()
        ? "a link"
        : "a device";
  throw pathRefused("PATH_NOT_A_FILE", given, `it is ${kind}, not a file`);
}

/** Throws where files are not kept as files. */
export async function checkOrdinaryDisk(folder: OpenFolder, name: string, given: string): Promise<void> {
  const { type } = await statfs(inFolder(folder, "."));
  if (KERNEL_FILE_SYSTEMS.has(type)) {
    throw pathRefused("PATH_PROTECTED", given, `${name} is state of the system's kernel, not a file`);
  }
}

/** A file can grow while it is read, so that its size promises nothing. */
async function readWhole(handle: FileHandle, given: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of handle.createReadStream({ autoClose: false, highWaterMark: 256 * 1024 })) {
    chunks.push(chunk as Buffer);
    size += (chunk as Buffer).length;
    if (size > MAX_FILE_BYTES) {
      throw pathRefused(
        "PATH_TOO_LARGE",
        given,
        `it is larger than ${MAX_FILE_BYTES / 1024 / 1024} MiB; use grep, or a command`,
      );
    }
  }
  return Buffer.concat(chunks);
}
