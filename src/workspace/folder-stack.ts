import { constants, type Stats } from "node:fs";
import { access, lstat, open, readlink, type FileHandle } from "node:fs/promises";
import { isAbsolute } from "node:path";
import { pathRefused } from "./path-refused.ts";

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;

/** Where the system shows a process its open descriptors. */
const DESCRIPTORS = "/proc/self/fd";

/** As many as Linux itself takes in one path. */
const MAX_LINKS = 40;

/** One open folder each; deeper is no path that anybody wrote. */
const MAX_DEPTH = 100;

/** An open folder below the workspace, or the workspace. */
export interface OpenFolder {
  readonly name: string;
  readonly handle: FileHandle;
  readonly stats: Stats;
}

/** The path of a name in an open folder. It leads there wherever the folder is moved, and whatever is put in its place. */
export function inFolder({ handle }: Pick<OpenFolder, "handle">, name: string): string {
  return `${DESCRIPTORS}/${handle.fd}/${name}`;
}

/** The folders from the workspace down to where a walk is, all open, so that `..` needs no look at the disk. */
export interface FolderStack {
  /** The workspace first. */
  readonly folders: readonly OpenFolder[];
  top(): OpenFolder;
  /** Opens a folder of the top one. Never follows a link: throws the system's ELOOP or ENOTDIR there. */
  enter(name: string): Promise<OpenFolder>;
  /** Goes up; false where that would leave the workspace. */
  leave(): Promise<boolean>;
  /** Goes back to the workspace. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

/** Opens the workspace, which must still be the folder that it was. */
export async function openStack(workspace: string, given: string): Promise<FolderStack> {
  await requireDescriptors(given);
  const folders = [await openFolder(workspace, "")];
  const close = async (from: number): Promise<void> => {
    await Promise.all(folders.splice(from).map(({ handle }) => handle.close()));
  };
  const top = (): OpenFolder => folders.at(-1) as OpenFolder;
  const stack: FolderStack = {
    folders,
    top,
    async enter(name) {
      if (folders.length > MAX_DEPTH) throw tooDeep(given);
      const folder = await openFolder(inFolder(top(), name), name);
      folders.push(folder);
      return folder;
    },
    async leave() {
      if (folders.length === 1) return false;
      await close(folders.length - 1);
      return true;
    },
    restart: () => close(1),
    close: () => close(0),
  };
  // The folders above it are not walked: what stands there now must be what was checked when the session was made.
  if ((await readlink(`${DESCRIPTORS}/${top().handle.fd}`)) === workspace) return stack;
  await stack.close();
  throw pathRefused("PATH_OUTSIDE", given, "the workspace is not the folder that it was when the session was made");
}

async function openFolder(path: string, name: string): Promise<OpenFolder> {
  const handle = await open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  try {
    return { name, handle, stats: await handle.stat() };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Without it a path could only be checked first and used afterwards, and be another one in between. */
async function requireDescriptors(given: string): Promise<void> {
  try {
    await access(DESCRIPTORS);
  } catch (error) {
    const why = "this system has no /proc, which files are reached through safely; no file is touched without it";
    throw pathRefused("PATHS_UNSUPPORTED", given, why, error);
  }
}

export interface Walked {
  /** The last name of the path, in the top folder; empty = the top folder itself. */
  readonly last: string;
  /** Folders between the top one and `last` that do not exist yet. */
  readonly missing: readonly string[];
  /** What `last` is at this moment; undefined = nothing. Not a link. */
  readonly stats: Stats | undefined;
}

/**
 * Walks down to the folder of the path's last name, by descriptors alone. Links are followed by hand, and only where they
 * lead to a place in the workspace. Throws DomainError `PATH_OUTSIDE`, `PATH_INVALID`, and the system's errors.
 */
export async function walk(
  stack: FolderStack,
  workspace: string,
  names: readonly string[],
  given: string,
): Promise<Walked> {
  const ahead = [...names];
  const missing: string[] = [];
  let links = 0;
  for (let name = ahead.shift(); name !== undefined; name = ahead.shift()) {
    if (name === "" || name === ".") continue;
    if (name === "..") {
      if (missing.length > 0)
        throw pathRefused("PATH_NOT_FOUND", given, "it goes up from a folder that does not exist");
      if (!(await stack.leave())) throw outside(given);
      continue;
    }
    const stats = missing.length > 0 ? undefined : await lstatIn(stack.top(), name);
    const isLast = ahead.every((next) => next === "" || next === ".");
    if (stats?.isSymbolicLink() === true) {
      if (++links > MAX_LINKS) throw pathRefused("PATH_INVALID", given, "its links lead in circles");
      const target = await readlink(inFolder(stack.top(), name));
      ahead.unshift(...(await targetNames(stack, workspace, target, given)));
      continue;
    }
    if (isLast) return { last: name, missing, stats };
    if (stats === undefined) missing.push(name);
    else await stack.enter(name);
    // Before any of them is made.
    if (stack.folders.length + missing.length > MAX_DEPTH) throw tooDeep(given);
  }
  return { last: "", missing, stats: stack.top().stats };
}

/** The names of a link's target, to be walked like any others from where the stack is then. */
async function targetNames(stack: FolderStack, workspace: string, target: string, given: string): Promise<string[]> {
  if (!isAbsolute(target)) return target.split("/");
  const names = namesBelow(workspace, target);
  if (names === undefined) throw outside(given);
  await stack.restart();
  return names;
}

function splitPath(path: string): string[] {
  return path.split("/").filter((name) => name !== "" && name !== ".");
}

/** The names of an absolute path after those of a folder; undefined where it does not begin with them. `..` stays. */
export function namesBelow(folder: string, path: string): string[] | undefined {
  const above = splitPath(folder);
  const names = splitPath(path);
  return above.every((name, index) => names[index] === name) ? names.slice(above.length) : undefined;
}

async function lstatIn(folder: OpenFolder, name: string): Promise<Stats | undefined> {
  try {
    return await lstat(inFolder(folder, name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function tooDeep(given: string): Error {
  return pathRefused("PATH_INVALID", given, `it is more than ${MAX_DEPTH} folders deep`);
}

export function outside(given: string): Error {
  return pathRefused("PATH_OUTSIDE", given, "it leads out of the workspace; name a file in it, relative to it");
}
