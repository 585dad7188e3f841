import type { Dirent } from "node:fs";
import { readdir } from "node:fs/promises";
import { join, relative } from "node:path";
import { type FolderStack, inFolder, openStack, type OpenFolder, walk } from "./folder-stack.ts";
import { type IgnoreRules, readIgnoreRules } from "./ignore-rules.ts";
import { hasReason, pathRefused, systemRefusal } from "./path-refused.ts";
import { isBelow } from "./path-names.ts";
import { isHidden, isOwnWorkspace, type PathGuard, withPath } from "./safe-path.ts";

/** More entries than this are no answer to anything; who walks is told that there are more. */
const MAX_ENTRIES = 200_000;

export interface WalkOptions {
  /** How many levels of folders to look into; 1 = what is directly in the folder. */
  readonly maxDepth: number;
  /** Whether what `.gitignore` files leave out is left out. */
  readonly respectIgnore: boolean;
  readonly signal: AbortSignal;
}

/** A file, folder or link. `folder` is open until the next one is asked for. */
export interface Found {
  /** Below the workspace, with `/`. */
  readonly path: string;
  readonly name: string;
  readonly kind: "file" | "folder" | "link" | "other";
  readonly folder: OpenFolder;
}

/**
 * Walks a folder of the workspace by open descriptors, in the order of names. Links are told, never followed; `.git` and the
 * engine's own data are left out. Throws DomainError `PATH_*`.
 */
export async function* walkFiles(
  guard: PathGuard,
  workspace: string,
  given: string,
  options: WalkOptions,
): AsyncGenerator<Found> {
  const start = await locateFolder(guard, workspace, given);
  let stack: FolderStack | undefined;
  try {
    stack = await openStack(workspace, given);
    const names = relative(workspace, start).split("/");
    const rules = await rulesAlong(guard, workspace, stack, names, options);
    const { last, stats } = await walk(stack, workspace, names, given);
    if (last !== "") {
      if (stats?.isDirectory() !== true) throw pathRefused("PATH_NOT_A_FOLDER", given, "it is no folder");
      await stack.enter(last);
    }
    const scope = { guard, workspace, stack, options, left: { entries: MAX_ENTRIES }, given };
    yield* below(
      scope,
      relative(workspace, start),
      await readIgnoreRules(guard, workspace, stack.top(), relative(workspace, start), rules),
    );
  } catch (error) {
    throw systemRefusal(error, given);
  } finally {
    await stack?.close();
  }
}

/** Canonical: links on the way are resolved, once, so that the paths told are those of files. */
function locateFolder(guard: PathGuard, workspace: string, given: string): Promise<string> {
  return withPath(guard, workspace, { given, access: "read" }, async ({ path, stats }) => {
    if (stats === undefined) throw pathRefused("PATH_NOT_FOUND", given, "there is no such folder");
    if (!stats.isDirectory()) throw pathRefused("PATH_NOT_A_FOLDER", given, "it is no folder");
    return path;
  });
}

/** The rules of the folders above where the walk begins; leaves the stack as it was. */
async function rulesAlong(
  guard: PathGuard,
  workspace: string,
  stack: FolderStack,
  names: readonly string[],
  { respectIgnore }: WalkOptions,
): Promise<IgnoreRules | undefined> {
  if (!respectIgnore) return undefined;
  let rules: IgnoreRules = [];
  const along: string[] = [];
  for (const name of names.filter((part) => part !== "")) {
    rules = (await readIgnoreRules(guard, workspace, stack.top(), along.join("/"), rules)) ?? rules;
    await stack.enter(name);
    along.push(name);
  }
  await stack.restart();
  return rules;
}

interface Scope {
  readonly guard: PathGuard;
  readonly workspace: string;
  readonly stack: FolderStack;
  readonly options: WalkOptions;
  readonly left: { entries: number };
  readonly given: string;
}

async function* below(scope: Scope, path: string, rules: IgnoreRules | undefined, depth = 1): AsyncGenerator<Found> {
  const { guard, workspace, stack, options, left, given } = scope;
  const folder = stack.top();
  const entries = await readdir(inFolder(folder, "."), { withFileTypes: true });
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    options.signal.throwIfAborted();
    const found = { path: join(path, entry.name), name: entry.name, kind: kindOf(entry), folder };
    const isFolder = found.kind === "folder";
    if (entry.name === ".git" || isIgnored(rules ?? [], found.path, isFolder)) continue;
    if (isFolder && !isOwnWorkspace(guard, workspace) && isBelow(guard.dataDir, join(workspace, found.path))) continue;
    if (--left.entries < 0)
      throw pathRefused("PATH_TOO_LARGE", given, `it holds more than ${MAX_ENTRIES} files; name a folder in it`);
    yield found;
    if (!isFolder || depth >= options.maxDepth) continue;
    if (!(await tryEnter(scope, entry.name))) continue;
    const entered = stack.top();
    try {
      if (await isHidden(guard, workspace, entered.stats)) continue;
      yield* below(scope, found.path, await readIgnoreRules(guard, workspace, entered, found.path, rules), depth + 1);
    } finally {
      await stack.leave();
    }
  }
}

const UNSEEN = ["PATH_NOT_FOUND", "PATH_CHANGED", "PATH_NOT_A_FOLDER", "PATH_FAILED", "PATH_INVALID"] as const;

/** False where the folder is gone, is a link by now, may not be read, or is too deep: a walk tells of what it can see. */
async function tryEnter({ stack }: Scope, name: string): Promise<boolean> {
  try {
    await stack.enter(name);
    return true;
  } catch (error) {
    const refusal = systemRefusal(error, name);
    if (UNSEEN.some((reason) => hasReason(refusal, reason))) return false;
    throw error;
  }
}

function isIgnored(rules: IgnoreRules, path: string, isFolder: boolean): boolean {
  // The deepest folder that says anything about a name decides.
  for (const { folder, decides } of rules.toReversed()) {
    const decision = decides(relative(folder, path) + (isFolder ? "/" : ""));
    if (decision !== undefined) return decision;
  }
  return false;
}

function kindOf(entry: Dirent): Found["kind"] {
  if (entry.isFile()) return "file";
  if (entry.isDirectory()) return "folder";
  return entry.isSymbolicLink() ? "link" : "other";
}
