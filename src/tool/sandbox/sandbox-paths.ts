import { readdirSync } from "node:fs";
import { lstat, readdir } from "node:fs/promises";
import { homedir, userInfo } from "node:os";
import { dirname, join } from "node:path";
import { isWithin } from "../../workspace/path-names.ts";

/** What in a person's home opens other doors: keys, passwords, tokens, sessions of browsers and of other agents, histories. */
const SECRETS_OF_HOMES = [
  ".ssh",
  ".gnupg",
  ".aws",
  ".azure",
  ".kube",
  ".docker",
  ".oci",
  ".config/gcloud",
  ".config/gh",
  ".config/hub",
  ".config/glab-cli",
  ".config/op",
  ".config/rclone",
  ".config/git/credentials",
  ".git-credentials",
  ".netrc",
  ".npmrc",
  ".yarnrc.yml",
  ".pypirc",
  ".pgpass",
  ".my.cnf",
  ".cargo/credentials",
  ".cargo/credentials.toml",
  ".gem/credentials",
  ".bundle/config",
  ".m2/settings.xml",
  ".gradle/gradle.properties",
  ".terraform.d",
  ".terraformrc",
  ".vault-token",
  ".password-store",
  ".local/share/keyrings",
  "Library/Keychains",
  ".mozilla",
  ".thunderbird",
  ".config/google-chrome",
  ".config/chromium",
  ".config/BraveSoftware",
  // The library lets every command write here, unless it may not be read.
  ".npm/_logs",
  ".bash_history",
  ".zsh_history",
  ".python_history",
  ".node_repl_history",
  ".psql_history",
  ".mysql_history",
  ".parley",
  ".claude",
  ".claude.json",
  ".codex",
  ".gemini",
] as const;

/** What the library lets every command write, whatever it is told; so one could leave something there for another. */
const SHARED_BY_LIBRARY = ["/tmp/claude", "/private/tmp/claude"] as const;

/** What only root reads, which an engine that runs as root would show to its commands; and doors to other programs. */
const SECRETS_OF_MACHINE = [
  "/etc/shadow",
  "/etc/shadow-",
  "/etc/gshadow",
  "/etc/gshadow-",
  "/etc/sudoers",
  "/etc/sudoers.d",
  "/etc/ssl/private",
  "/etc/kubernetes",
  "/run/secrets",
  "/run/docker.sock",
  "/run/containerd",
  "/run/podman",
  "/run/user",
  "/run/dbus",
] as const;

/** What names in a repository begin with. */
const GIT = ".git/";

/** How deep, and in how many folders, protected names are looked for: on the way to a command nobody wants to wait. */
const MAX_DEPTH = 4;
const MAX_FOLDERS = 2000;

/** Large, and made anew by whoever wants it so. */
const NOT_LOOKED_INTO = new Set(["node_modules", ".venv", "target", "__pycache__"]);

/** Absolute paths that no command may read, besides the engine's own. */
export function findUnreadable(): readonly string[] {
  const homes = new Set([homedir(), userInfo().homedir]);
  if (process.getuid?.() === 0) for (const home of ["/root", ...subfolders("/home")]) homes.add(home);
  const keys = entries("/etc/ssh").filter((name) => /^ssh_host_.*key$/.test(name));
  return [
    ...[...homes].flatMap((home) => SECRETS_OF_HOMES.map((name) => join(home, name))),
    ...SECRETS_OF_MACHINE,
    ...keys.map((name) => join("/etc/ssh", name)),
  ];
}

function subfolders(folder: string): readonly string[] {
  return entries(folder).map((name) => join(folder, name));
}

/** Where there is no such folder, or it may not be read, there is nothing to hide in it either. */
function entries(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (isAbsence(error)) return [];
    throw error;
  }
}

/**
 * The library that builds sandboxes closes this one and some of ours in the engine's current folder, whatever it is told, and
 * where they are missing with files that git stumbles over. So all are there before it looks.
 */
const CLOSED_BY_LIBRARY = ".ripgreprc";

/**
 * Absolute paths that a command may not write in a workspace. Names that are there are found wherever they are; directly in
 * the workspace they are protected before they exist, too. A repository that does not exist yet can be made.
 */
export async function findUnwritable(
  workspace: string,
  protectedNames: readonly string[],
  current = process.cwd(),
): Promise<readonly string[]> {
  const found = new Set<string>();
  const wanted = [...protectedNames.filter((name) => !name.startsWith(GIT)), CLOSED_BY_LIBRARY];
  const wantedInGit = protectedNames.filter((name) => name.startsWith(GIT)).map((name) => name.slice(GIT.length));
  const repositories: string[] = [];
  let folders = 0;
  let level = [workspace];
  for (let depth = 0; depth < MAX_DEPTH && level.length > 0; depth++) {
    const next: string[] = [];
    for (const folder of level) {
      if (folders++ >= MAX_FOLDERS) break;
      const names = await readFolder(folder);
      const present = new Set(names.map(({ name }) => name));
      if (present.has(".git")) repositories.push(join(folder, ".git"));
      for (const name of wanted) if (present.has(name.split("/")[0] ?? "")) found.add(join(folder, name));
      for (const { name, isFolder } of names) {
        if (isFolder && name !== ".git" && !NOT_LOOKED_INTO.has(name)) next.push(join(folder, name));
      }
    }
    level = next;
  }
  for (const folder of isWithin(current, workspace) ? [workspace, current] : [workspace]) {
    for (const name of wanted) {
      // Where `.config` itself is missing, closing it for `.config/git` would close it for everything.
      if (await isThere(dirname(join(folder, name)))) found.add(join(folder, name));
    }
  }
  for (const repository of repositories) {
    for (const path of await guardRepository(repository, wantedInGit)) found.add(path);
  }
  for (const path of SHARED_BY_LIBRARY) if (await isThere(path)) found.add(path);
  return [...found].sort();
}

/** A worktree or a submodule has a file in the place of the folder; who writes it chooses another folder. */
async function guardRepository(path: string, names: readonly string[]): Promise<readonly string[]> {
  const found = await lstat(path);
  if (!found.isDirectory()) return [path];
  const modules = await readFolder(join(path, "modules"));
  const folders = [path, ...modules.map(({ name }) => join(path, "modules", name))];
  const paths = folders.flatMap((folder) => names.map((name) => join(folder, name)));
  // Without this one it is no repository yet, and is to become one.
  return (await isThere(join(path, "config"))) ? paths : paths.filter((found) => found !== join(path, "config"));
}

async function readFolder(folder: string): Promise<readonly { name: string; isFolder: boolean }[]> {
  try {
    const found = await readdir(folder, { withFileTypes: true });
    return found.map((entry) => ({ name: entry.name, isFolder: entry.isDirectory() }));
  } catch (error) {
    // Gone meanwhile, or closed to the engine's user, and so to the command.
    if (isAbsence(error)) return [];
    throw error;
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (isAbsence(error)) return false;
    throw error;
  }
}

function isAbsence(error: unknown): boolean {
  return ["ENOENT", "ENOTDIR", "EACCES", "EPERM"].includes((error as NodeJS.ErrnoException).code ?? "");
}
