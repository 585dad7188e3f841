/**
 * Names that other programs run, or believe, without being asked: who may write them runs what they like at the next commit,
 * login or start of an editor. They are protected before they exist. Folders protect all that is in them.
 */
const PROTECTED: readonly (readonly string[])[] = [
  [".git", "hooks"],
  // Names commands to run: core.hooksPath, core.fsmonitor, core.pager, filters.
  [".git", "config"],
  [".git", "config.worktree"],
  [".git", "info", "attributes"],
  [".gitconfig"],
  [".config", "git"],
  [".bashrc"],
  [".bash_profile"],
  [".bash_login"],
  [".bash_logout"],
  [".bash_aliases"],
  [".profile"],
  [".zshrc"],
  [".zshenv"],
  [".zprofile"],
  [".zlogin"],
  [".zlogout"],
  [".kshrc"],
  [".cshrc"],
  [".tcshrc"],
  [".login"],
  [".inputrc"],
  [".envrc"],
  [".config", "fish"],
  [".ssh"],
  [".parley"],
  [".mcp.json"],
  [".claude"],
  [".cursor"],
  [".codex"],
  [".gemini"],
  [".vscode"],
  [".idea"],
];

/** What some file systems take for the same name: case, forms of Unicode, characters that show nothing, dots and blanks at the end. */
export function foldName(name: string): string {
  return name
    .normalize("NFKC")
    .replace(/\p{Default_Ignorable_Code_Point}/gu, "")
    .toLowerCase()
    .normalize("NFC")
    .replace(/[. ]+$/, "");
}

/**
 * The protected name that a path goes through, as a person would write it; undefined = none. `names` are the parts of the
 * absolute path, the first `rootLength` of them the workspace's: whoever chose that folder has chosen what it is.
 */
export function findProtectedName(names: readonly string[], rootLength: number): string | undefined {
  const folded = names.map(foldName);
  // A submodule or worktree has its hooks deeper: .git/modules/x/hooks.
  const repository = folded.indexOf(".git");
  if (repository !== -1 && folded.indexOf("hooks", Math.max(repository, rootLength)) !== -1) return ".git/hooks";
  const found = PROTECTED.find((sequence) =>
    folded.some(
      (_, start) =>
        start + sequence.length > rootLength && sequence.every((part, offset) => folded[start + offset] === part),
    ),
  );
  return found?.join("/");
}
