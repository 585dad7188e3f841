import { mkdirSync } from "node:fs";
import { mkdir, realpath } from "node:fs/promises";
import { join } from "node:path";
import { DomainError } from "../errors.ts";
import { namesBelow } from "./folder-stack.ts";
import { isBelow } from "./path-names.ts";
import { resolveWorkspace } from "./workspace.ts";

/** Where sessions may work. */
export interface Workspaces {
  /**
   * The canonical folder of a new session: the given one, or, where none is given, a fresh one for it alone. Throws DomainError
   * `INVALID_WORKSPACE`, `WORKSPACE_NOT_ALLOWED`.
   */
  make(given: string, sessionId: string): Promise<string>;
  /** Whether a session may work in a canonical folder; also asked of one that an import or an older configuration let in. */
  allows(canonical: string): boolean;
}

/** `roots` limit where folders may be; none = anywhere. Throws DomainError `INVALID_CONFIG` where one is no folder. */
export async function openWorkspaces(dataDir: string, roots: readonly string[]): Promise<Workspaces> {
  const canonicalDataDir = await realpath(dataDir);
  const fresh = join(canonicalDataDir, "workspaces");
  const canonicalRoots = await Promise.all(roots.map(resolveRoot));
  await mkdir(fresh, { recursive: true, mode: 0o700 });
  const isFresh = (folder: string): boolean => (namesBelow(fresh, folder)?.length ?? 0) > 0;
  const isInRoots = (folder: string): boolean =>
    canonicalRoots.length === 0 || canonicalRoots.some((root) => namesBelow(root, folder) !== undefined);
  const isData = (folder: string): boolean => isBelow(canonicalDataDir, folder);
  return {
    allows: (folder) => isFresh(folder) || (isInRoots(folder) && !isData(folder)),
    async make(given, sessionId) {
      if (given === "") {
        const folder = join(fresh, sessionId);
        // On the engine's own disk, which the store waits for too: asking another thread takes longer than the folder.
        mkdirSync(folder, { mode: 0o700 });
        return folder;
      }
      const folder = await resolveWorkspace(given);
      if (isFresh(folder)) return folder;
      if (isData(folder)) throw notAllowed("it belongs to the engine's own data; name another folder, or none");
      if (!isInRoots(folder)) throw notAllowed("it is in none of the folders that --workspace-root names");
      return folder;
    },
  };
}

async function resolveRoot(root: string): Promise<string> {
  try {
    return await resolveWorkspace(root);
  } catch (error) {
    const why = error instanceof DomainError ? error.message.replace("workspace: ", "") : String(error);
    throw new DomainError("invalid", "INVALID_CONFIG", `--workspace-root ${root}: ${why}`, {}, { cause: error });
  }
}

function notAllowed(why: string): DomainError {
  return new DomainError("denied", "WORKSPACE_NOT_ALLOWED", `workspace: ${why}`, { field: "workspace" });
}
