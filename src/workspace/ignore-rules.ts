import { text } from "node:stream/consumers";
import type { OpenFolder } from "./folder-stack.ts";
import { hasReason, systemRefusal } from "./path-refused.ts";
import { openRegular } from "./safe-file.ts";
import type { PathGuard } from "./safe-path.ts";

/** A larger one is no list that a person wrote. */
const MAX_RULES_BYTES = 256 * 1024;

/** What the `.gitignore` files on the way say, from the workspace down. */
export type IgnoreRules = readonly FolderRules[];

interface FolderRules {
  /** Below the workspace. */
  readonly folder: string;
  /** Whether a path below the folder is left out; undefined = it says nothing of it. Folders end in `/`. */
  decides(path: string): boolean | undefined;
}

/** Adds what a folder's own `.gitignore` says; undefined stays, where nobody asked for rules. */
export async function readIgnoreRules(
  guard: PathGuard,
  workspace: string,
  folder: OpenFolder,
  path: string,
  above: IgnoreRules | undefined,
): Promise<IgnoreRules | undefined> {
  if (above === undefined) return undefined;
  const lines = await readRules(guard, workspace, folder);
  if (lines === undefined) return above;
  const { default: ignore } = await import("ignore");
  const rules = ignore({ allowRelativePaths: true }).add(lines);
  const decides = (name: string): boolean | undefined => {
    const { ignored, unignored } = rules.test(name);
    return ignored ? true : unignored ? false : undefined;
  };
  return [...above, { folder: path, decides }];
}

async function readRules(guard: PathGuard, workspace: string, folder: OpenFolder): Promise<string | undefined> {
  const name = ".gitignore";
  try {
    const handle = await openRegular(guard, workspace, folder, { name, given: name });
    try {
      return await text(handle.createReadStream({ autoClose: false, end: MAX_RULES_BYTES - 1 }));
    } finally {
      await handle.close();
    }
  } catch (error) {
    // A folder without rules, or whose rules are a link, a folder or not ours to read, has none.
    const refusal = systemRefusal(error, name);
    const isNone = ["PATH_NOT_FOUND", "PATH_CHANGED", "PATH_NOT_A_FILE", "PATH_PROTECTED", "PATH_FAILED"] as const;
    if (isNone.some((reason) => hasReason(refusal, reason))) return undefined;
    throw error;
  }
}
