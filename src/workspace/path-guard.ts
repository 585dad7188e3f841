import type { Stats } from "node:fs";
import { readdir, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import type { PathGuard } from "./safe-path.ts";

/** Guards the engine's data directory, which must exist, and what is not in the workspaces that are allowed. */
export async function createPathGuard(
  dataDir: string,
  allowsWorkspace: PathGuard["allowsWorkspace"],
): Promise<PathGuard> {
  const canonical = await realpath(dataDir);
  const folder = await stat(canonical);
  return {
    dataDir: canonical,
    allowsWorkspace,
    async isDataDirEntry(stats) {
      if (stats.dev !== folder.dev) return false;
      if (stats.isDirectory()) return stats.ino === folder.ino;
      return isOneOf(canonical, stats);
    },
  };
}

/** The files that hold tokens and the store are directly in the folder. They come and go, so each time is looked anew. */
async function isOneOf(folder: string, stats: Stats): Promise<boolean> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const found = await stat(join(folder, entry.name)).catch(unlessGone);
    if (found !== undefined && found.ino === stats.ino && found.dev === stats.dev) return true;
  }
  return false;
}

/** Gone since it was listed. What cannot be looked at for any other reason might be the one: nothing is let through then. */
function unlessGone(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error;
}
