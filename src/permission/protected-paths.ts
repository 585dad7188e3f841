import { join, relative } from "node:path";
import type { Subject } from "../tool/tool.ts";
import { foldName } from "./rule-match.ts";

/** What programs run or obey by themselves: who writes there runs commands later, unasked. Each in any folder, with all under it. */
const UNWRITABLE = [
  ".git/hooks",
  ".git/config",
  ".git/info/attributes",
  ".gitconfig",
  ".gitmodules",
  ".config/git",
  ".bashrc",
  ".bash_profile",
  ".bash_login",
  ".bash_logout",
  ".bash_aliases",
  ".profile",
  ".zshrc",
  ".zshenv",
  ".zprofile",
  ".zlogin",
  ".zlogout",
  ".kshrc",
  ".cshrc",
  ".tcshrc",
  ".login",
  ".config/fish",
  ".inputrc",
  ".envrc",
  ".ssh",
  ".netrc",
  ".npmrc",
  ".mcp.json",
  ".parley",
  ".claude",
  ".cursor",
  ".codex",
  ".gemini",
  ".vscode",
  ".idea",
  ".husky",
] as const;

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
    if (!isWithin(path, dataDir)) return false;
    const worksInside = isWithin(workspace, workspaces) && foldName(workspace) !== foldName(workspaces);
    return !(worksInside && isWithin(path, workspace));
  }

  return {
    globs: [`${dataDir}/**`, ...UNWRITABLE.map((name) => `**/${name}`)],
    refusal: (subject, workspace) => {
      if (subject.kind !== "path") return undefined;
      const paths = [subject.path, subject.given];
      if (paths.some((path) => isOwn(path, workspace))) {
        return "it touches the engine's own folder, which no tool may read or write";
      }
      if (subject.access === "read") return undefined;
      // A folder that holds what is protected may not be replaced under it either.
      if (paths.some((path) => path !== workspace && isWithin(dataDir, path))) {
        return "it changes a folder that the engine's own folder lies in";
      }
      const name = UNWRITABLE.find((wanted) => paths.some((path) => holdsName(path, wanted)));
      return name === undefined ? undefined : `it writes ${name}, which other programs obey by themselves`;
    },
  };
}

/** Whether a path is a folder or lies under it, by its names and not by its text. */
export function isWithin(path: string, folder: string): boolean {
  if (folder === "" || path === "") return false;
  const way = relative(foldName(folder), foldName(path));
  return way === "" || (way !== ".." && !way.startsWith("../"));
}

function holdsName(path: string, wanted: string): boolean {
  // A trailing dot or blank, and a stream after a colon, are not part of a name everywhere.
  const names = foldName(path)
    .split("/")
    .map((name) => name.replace(/(?<=[^.])[. ]+$/, "").replace(/:.*$/, ""));
  return `${names.join("/")}/`.includes(`/${wanted}/`);
}
