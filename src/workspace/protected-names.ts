import { foldName, namesOf } from "./path-names.ts";
import { namesBelow } from "./folder-stack.ts";

/**
 * Names that other programs run, or believe, without being asked: who may write them runs what they like at the next commit,
 * login or start of an editor. They are protected in any folder, before they exist, and folders with all that is in them. The
 * file tools and the permission decision both refuse this list.
 */
export const PROTECTED_NAMES: readonly string[] = [
  ".git/hooks",
  // Names commands to run: core.hooksPath, core.fsmonitor, core.pager, filters.
  ".git/config",
  ".git/config.worktree",
  ".git/info/attributes",
  ".gitconfig",
  ".gitmodules",
  ".config/git",
  ".husky",
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
  ".inputrc",
  ".envrc",
  ".config/fish",
  ".config/autostart",
  ".config/systemd",
  ".ssh",
  ".netrc",
  ".npmrc",
  ".yarnrc",
  ".yarnrc.yml",
  ".pnpmfile.cjs",
  ".parley",
  ".mcp.json",
  ".claude",
  ".cursor",
  ".codex",
  ".gemini",
  ".windsurf",
  ".vscode",
  ".idea",
  ".zed",
  ".devcontainer",
];

const SEQUENCES: readonly (readonly string[])[] = PROTECTED_NAMES.map((name) => name.split("/"));

/** Submodules and worktrees have theirs deeper: .git/modules/x/hooks. */
const ANYWHERE_IN_GIT: readonly string[] = ["hooks", "config", "config.worktree", "attributes"];

/**
 * The protected name that an absolute path goes through, as a person would write it; undefined = none. Names of the workspace
 * itself do not count: whoever chose that folder has chosen what it is.
 */
export function findProtectedName(path: string, workspace: string): string | undefined {
  const names = namesOf(path).map(foldAlternatives);
  const rootLength = namesBelow(workspace, path) === undefined ? 0 : namesOf(workspace).length;
  const repository = names.indexOf(".git");
  const inGit = names.findIndex(
    (name, index) => repository >= 0 && index > repository && index >= rootLength && ANYWHERE_IN_GIT.includes(name),
  );
  if (inGit >= 0) return `.git/${names[inGit] ?? ""}`;
  const found = SEQUENCES.find((sequence) =>
    names.some(
      (_, start) =>
        start + sequence.length > rootLength && sequence.every((part, offset) => names[start + offset] === part),
    ),
  );
  return found?.join("/");
}

/** Also without a stream after a colon, which some file systems take for a part of the same file. */
function foldAlternatives(name: string): string {
  return foldName(foldName(name).replace(/:.*$/, ""));
}
