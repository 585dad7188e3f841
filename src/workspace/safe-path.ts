import type { Stats } from "node:fs";
import { isAbsolute, join, resolve } from "node:path";
import { type FolderStack, namesBelow, openStack, outside, walk } from "./folder-stack.ts";
import { pathRefused, systemRefusal } from "./path-refused.ts";
import { isBelow } from "./path-names.ts";
import { findProtectedName } from "./protected-names.ts";

const MAX_PATH_CHARS = 4096;

/** What must not be reached, whatever the workspace is. */
export interface PathGuard {
  /** The engine's data directory, canonical. Nothing in it is read or written, but the workspaces that it holds. */
  readonly dataDir: string;
  /** Whether sessions may work in a canonical folder; asked each time, since imports and older configurations let in others. */
  allowsWorkspace(canonical: string): boolean;
  /** Tells the data directory's folder and files by what they are, under whatever name they are found. */
  isDataDirEntry(stats: Stats): Promise<boolean>;
}

export type Access = "read" | "write";

/** A place in the workspace that was walked to. Its folders are open while it is used. */
export interface SafePath {
  /** As the model wrote it, resolved against the workspace as text, no link followed. */
  readonly given: string;
  /** Where it is: absolute, without links. */
  readonly path: string;
  readonly stack: FolderStack;
  /** Its name in the stack's top folder; empty = that folder itself. */
  readonly last: string;
  /** Folders above it that do not exist yet. */
  readonly missing: readonly string[];
  /** What it is; undefined = nothing yet. */
  readonly stats: Stats | undefined;
}

/** Where a path leads, for who decides whether it may be used. */
export type PathSubject = Pick<SafePath, "given" | "path">;

/**
 * The only way to a file: walks to a path of the workspace, hands it to `use`, and closes what it opened. What `use` does
 * through the open folders happens there, whatever becomes of the names on the way meanwhile. Links are followed where they
 * lead to a place in the workspace. Throws DomainError `PATH_*`, told to the model.
 */
export async function withPath<T>(
  guard: PathGuard,
  workspace: string,
  request: { readonly given: string; readonly access: Access },
  use: (path: SafePath) => Promise<T>,
): Promise<T> {
  const { given, access } = request;
  checkWorkspace(guard, workspace, given);
  const names = readNames(workspace, given);
  let stack: FolderStack | undefined;
  try {
    stack = await openStack(workspace, given);
    const walked = await walk(stack, workspace, names, given);
    const path = join(workspace, ...stack.folders.map(({ name }) => name), ...walked.missing, walked.last);
    await checkAllowed(guard, workspace, { given, path, access, stack });
    if (walked.stats !== undefined && (await isHidden(guard, workspace, walked.stats))) throw dataDirectory(given);
    return await use({ ...walked, stack, path, given: resolve(workspace, given) });
  } catch (error) {
    throw systemRefusal(error, given);
  } finally {
    await stack?.close();
  }
}

function checkWorkspace(guard: PathGuard, workspace: string, given: string): void {
  if (workspace === "") throw pathRefused("PATH_OUTSIDE", given, "this session has no workspace");
  if (guard.allowsWorkspace(workspace)) return;
  throw pathRefused("PATH_OUTSIDE", given, "the session's workspace is none that this engine may touch");
}

function readNames(workspace: string, given: string): string[] {
  if (given === "") throw pathRefused("PATH_INVALID", given, "the path is empty; `.` is the workspace itself");
  if (given.length > MAX_PATH_CHARS)
    throw pathRefused("PATH_INVALID", given, `a path has at most ${MAX_PATH_CHARS} characters`);
  if (given.includes("\0")) throw pathRefused("PATH_INVALID", given, "it holds a NUL character");
  if (!given.isWellFormed()) throw pathRefused("PATH_INVALID", given, "it holds half a character");
  if (/^~(\/|$)/.test(given)) throw outside(given);
  if (!isAbsolute(given)) return given.split("/");
  const names = namesBelow(workspace, given);
  if (names === undefined) throw outside(given);
  return names;
}

interface Checked {
  readonly given: string;
  readonly path: string;
  readonly access: Access;
  readonly stack: FolderStack;
}

async function checkAllowed(
  guard: PathGuard,
  workspace: string,
  { given, path, access, stack }: Checked,
): Promise<void> {
  if (!isOwnWorkspace(guard, workspace)) {
    if (isBelow(guard.dataDir, path)) throw dataDirectory(given);
    // Also under another name: a bind mount, or a file system that folds names.
    for (const { stats } of stack.folders) if (await guard.isDataDirEntry(stats)) throw dataDirectory(given);
  }
  if (access === "read") return;
  const protectedName = findProtectedName(path, workspace);
  if (protectedName === undefined) return;
  const why = `${protectedName} is protected: other programs run or believe what it says; ask the human to change it`;
  throw pathRefused("PATH_PROTECTED", given, why);
}

/** Whether something that was opened is the data directory or a file of it, as a hard link is. */
export async function isHidden(guard: PathGuard, workspace: string, stats: Stats): Promise<boolean> {
  const couldBe = stats.isDirectory() || stats.nlink > 1;
  return couldBe && !(stats.isDirectory() && isOwnWorkspace(guard, workspace)) && guard.isDataDirEntry(stats);
}

/** A folder that the engine made for a session is in the data directory, and is the session's. */
export function isOwnWorkspace({ dataDir }: PathGuard, workspace: string): boolean {
  const names = namesBelow(join(dataDir, "workspaces"), workspace);
  return names !== undefined && names.length > 0;
}

export function dataDirectory(given: string): Error {
  return pathRefused("PATH_PROTECTED", given, "it belongs to the engine's own data, which no tool may read or write");
}
