import { homedir, userInfo } from "node:os";
import { isAbsolute, join, resolve } from "node:path";
import type { Subject, ToolPlace } from "../tool/tool.ts";
import { canonicalPath } from "../workspace/canonical-path.ts";
import { isCarried } from "./command-pattern.ts";
import { expandPattern, isPattern } from "./expand-pattern.ts";
import { WRITERS } from "./known-commands.ts";
import type { ParsedCommand, ParsedShell } from "./shell-parse.ts";

/** So many files are looked up at most; more fails closed. */
const MAX_PATHS = 400;

/** Of those that are not looked up, so many are held against the rules as they are given. */
const MAX_NAMES = 2000;

/** After each `cd` all relative names may be other files; of so many it is looked at where they lead. */
const MAX_MOVES = 5;

export type PathSubject = Extract<Subject, { kind: "path" }>;

/** A word that may be a file. */
interface NamedFile {
  readonly path: string;
  readonly access: "read" | "write";
  /** True: the shell may make other names of it. */
  readonly isMadeUp: boolean;
}

export interface CommandFiles {
  /** Those that the shell itself opens, in the order of the text's redirections. */
  readonly opened: readonly PathSubject[];
  /** All others; the rules that allow the command allow them too. */
  readonly mentioned: readonly PathSubject[];
  /** False: there are too many to be looked up; some are known by their names alone, with an empty `path`. */
  readonly isWhole: boolean;
}

/** Every file that a text and the texts inside of it may touch. */
export function filesOf(
  parsed: ParsedShell,
  inside: ParsedShell,
  { workspace }: Pick<ToolPlace, "workspace">,
): CommandFiles {
  const commands = [...parsed.commands, ...inside.commands];
  const files = [
    ...filesWritten(commands),
    ...filesListed(commands, [...parsed.listed, ...inside.listed]),
    ...filesOpened(inside),
  ];
  const [start = "", ...folders] = foldersOf(commands, workspace);
  const mentioned: PathSubject[] = [];
  const known = files.map((file) => addFile(mentioned, file, start));
  for (const folder of folders) {
    const relative = [...files, ...filesOpened(parsed)].filter(({ path }) => isRelative(path));
    known.push(...relative.map((file) => addFile(mentioned, file, folder)));
  }
  const opened = parsed.redirects.map(({ target, access }) => look(target, access, { workspace }));
  return { opened, mentioned, isWhole: mentioned.length <= MAX_PATHS && known.every(Boolean) };
}

/** Adds what a name, and what the shell makes of it, may be; false where that is more than is looked at. */
function addFile(found: PathSubject[], { path, access, isMadeUp }: NamedFile, workspace: string): boolean {
  const add = (one: string): void => {
    if (found.length < MAX_PATHS) found.push({ ...look(one, access, { workspace }), isNamed: true });
    else if (found.length < MAX_NAMES) {
      found.push({ kind: "path", access, path: "", given: resolve(asWritten(one, workspace)), isNamed: true });
    }
  };
  add(path);
  if (!isMadeUp || !isPattern(path)) return true;
  const { paths, isWhole } = expandPattern(withHome(path), join("/", workspace));
  paths.forEach(add);
  return isWhole;
}

function filesWritten(commands: readonly ParsedCommand[]): NamedFile[] {
  // What reaches a writer through a pipe is what the words of another command say.
  const isPiped = commands.some((command) => isWriter(command) && command.words.some(isPipeReader));
  return commands.flatMap((command) => filesNamed(command, isPiped || isWriter(command)));
}

/** What reaches a writer by a variable is what a loop goes through, or what it was set to. */
function filesListed(commands: readonly ParsedCommand[], listed: readonly string[]): NamedFile[] {
  const isSet = commands.some((command) => isWriter(command) && command.words.some((word) => word.includes("$")));
  return listed.map((word) => ({ path: unquote(word), access: isSet ? "write" : "read", isMadeUp: true }));
}

function filesOpened({ redirects }: ParsedShell): NamedFile[] {
  return redirects.map(({ target, access }) => ({ path: target, access, isMadeUp: false }));
}

function isPipeReader(word: string): boolean {
  return /^(?:.*\/)?(?:xargs|parallel)$/.test(word);
}

export function isMove({ words: [name = ""] }: ParsedCommand): boolean {
  return /^(cd|pushd|popd)$/.test(name);
}

/** Where relative names may start: in the workspace, and where each `cd` leads. */
function foldersOf(commands: readonly ParsedCommand[], workspace: string): string[] {
  const folders = [workspace];
  for (const { words } of commands.filter(isMove).slice(0, MAX_MOVES)) {
    const target = words.slice(1).findLast((word) => !word.startsWith("-")) ?? "~";
    folders.push(asWritten(unquote(target), folders.at(-1) ?? workspace));
  }
  return [...new Set(folders)];
}

/** Every word of a command that may be a file, also behind a flag or an equals sign. */
function filesNamed(command: ParsedCommand, isWritten: boolean): NamedFile[] {
  const access = isWritten ? "write" : "read";
  return command.words.flatMap((word, at) => {
    const isMadeUp = at >= command.fixedWords;
    return partsOf(isMadeUp ? unquote(word) : word)
      .filter((path) => path.length <= 4096)
      .map((path) => ({ path, access, isMadeUp }));
  });
}

function partsOf(word: string): string[] {
  if (!word.startsWith("-")) return [word, ...afterEquals(word)];
  return /^-\w(?=[/.~])/.test(word) ? [word.slice(2), ...afterEquals(word)] : afterEquals(word);
}

function afterEquals(word: string): string[] {
  const at = word.indexOf("=");
  return at === -1 ? [] : [word.slice(at + 1)];
}

/** A word that is made up stands as it is written. */
function unquote(word: string): string {
  return word.replaceAll(/["']/g, "").replaceAll(/\\(.)/g, "$1");
}

/** Whether it writes what its words name, itself or by a program that runs what follows. */
function isWriter({ words }: ParsedCommand): boolean {
  const deletes = words.includes("find") && words.some((word) => /^-(?:delete|fprint0?|fprintf|fls)$/.test(word));
  return deletes || words.some((word, at) => isWriterName(word) && (at === 0 || isCarried(words.slice(0, at))));
}

function isWriterName(word: string): boolean {
  return WRITERS.has(word.slice(word.lastIndexOf("/") + 1));
}

function isRelative(path: string): boolean {
  return !isAbsolute(withHome(path));
}

function withHome(text: string): string {
  if (!/^[~$]/.test(text)) return text;
  const plain = text.replace(/^(?:~|\$HOME|\$\{HOME\})(?=\/|$)/, homedir());
  return /^~\w/.test(plain) ? plain.replace(`~${nameOfUser()}/`, `${homedir()}/`) : plain;
}

function nameOfUser(): string {
  try {
    return userInfo().username;
  } catch (error) {
    // A user without an entry has no name that a shell knows.
    if (typeof (error as NodeJS.ErrnoException).code === "string") return "";
    throw error;
  }
}

/** As the system will read it: what `..` means is known only after the links before it. */
function asWritten(text: string, folder: string): string {
  const plain = withHome(text);
  return isAbsolute(plain) ? plain : `${join("/", folder)}/${plain}`;
}

export function look(text: string, access: "read" | "write", { workspace }: Pick<ToolPlace, "workspace">): PathSubject {
  const written = asWritten(text, workspace);
  const given = resolve(written);
  return { kind: "path", access, given, path: canonicalOrGiven(written, given) };
}

/** What cannot be looked at is held against the rules as it is given; the command will be refused it too. */
function canonicalOrGiven(written: string, given: string): string {
  try {
    return canonicalPath(written);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // A command that starts in the workspace has a shorter name for it, which may not be too long.
    if (code === "ENAMETOOLONG") return "";
    if (typeof code === "string") return given;
    throw error;
  }
}
