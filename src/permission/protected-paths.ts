import { join } from "node:path";
import type { Subject } from "../tool/tool.ts";
import { isBelow } from "../workspace/path-names.ts";
import { findProtectedName, PROTECTED_NAMES } from "../workspace/protected-names.ts";

/** What no mode and no rule lets a tool touch. */
export interface ProtectedPaths {
  /** As globs, for people. */
  readonly globs: readonly string[];
  /** Why a session that works in `workspace` may not touch it; undefined where it may. */
  refusal(subject: Subject, workspace: string): string | undefined;
}

/** `dataDir` is the engine's own folder, canonical. */
export function createProtectedPaths(dataDir: string): ProtectedPaths {
  // Sessions without a folder of their own work under here.
  const workspaces = join(dataDir, "workspaces");

  function isOwn(path: string, workspace: string): boolean {
    if (!isBelow(dataDir, path)) return false;
    const worksInside = workspace !== "" && isBelow(workspaces, workspace) && !isBelow(workspace, workspaces);
    return !(worksInside && isBelow(workspace, path));
  }

  return {
    globs: [`${dataDir}/**`, ...PROTECTED_NAMES.map((name) => `**/${name}`)],
    refusal: (subject, workspace) => {
      if (subject.kind !== "path") return undefined;
      const paths = [subject.path, subject.given].filter((path) => path !== "");
      if (paths.some((path) => isOwn(path, workspace))) {
        return "it touches the engine's own folder, which no tool may read or write";
      }
      if (subject.access === "read") return undefined;
      // A folder that holds what is protected may not be replaced under it either.
      if (paths.some((path) => path !== workspace && isBelow(path, dataDir))) {
        return "it changes a folder that the engine's own folder lies in";
      }
      const [name] = paths.flatMap((path) => findProtectedName(path, workspace) ?? []);
      return name === undefined ? undefined : `it writes ${name}, which other programs obey by themselves`;
    },
  };
}
