import { statSync } from "node:fs";
import { homedir } from "node:os";
import { isAbsolute, join, resolve } from "node:path";
import type { Assessment, Risk, Subject, ToolPlace } from "../tool/tool.ts";
import { canonicalPath } from "../workspace/canonical-path.ts";
import { WRITERS } from "./known-commands.ts";
import { isWithin } from "../workspace/path-names.ts";
import { parseShell, type ParsedCommand, type ParsedShell } from "./shell-parse.ts";
import { riskOfCommand } from "./shell-risk.ts";

/** So many files are looked up at most; more fails closed. */
const MAX_PATHS = 400;

type PathSubject = Extract<Subject, { kind: "path" }>;

/** From the least to the most that is to be said of a text: the worst of its commands counts. */
const WORSE: readonly Risk["level"][] = ["none", "read", "safe", "edit", "unknown", "destructive"];

/** Judges a text for bash: every command of it, and every file that the shell opens for one. */
export async function assessCommand(text: string, place: Pick<ToolPlace, "workspace">): Promise<Assessment> {
  const parsed = await parseShell(text);
  const named = parsed.commands.flatMap(pathsNamed);
  if (named.length + parsed.redirects.length > MAX_PATHS) {
    return unclear("it names too many files to be looked through", []);
  }
  // After a cd nobody can tell which file a relative name means.
  const moves = parsed.commands.some(({ words: [name = ""] }) => /^(cd|pushd|popd)$/.test(name));
  const opened = parsed.redirects.map(({ target, access }) => look(target, access, place));
  const mentioned = named.map(({ path, access }) => ({ ...look(path, access, place), isNamed: true }));
  const subjects: Subject[] = [
    ...parsed.commands.map((command): Subject => ({ kind: "command", ...command })),
    ...opened,
    ...mentioned,
  ];
  const risk = worst(parsed, opened, moves, place);
  if (parsed.unclear === "") return { risk, subjects };
  const reason = risk.level === "destructive" ? `${parsed.unclear}; ${risk.reason}` : parsed.unclear;
  return {
    risk: { level: risk.level === "destructive" ? "destructive" : "unknown", reason },
    subjects,
    onlyOnce: true,
  };
}

function unclear(reason: string, subjects: readonly Subject[]): Assessment {
  return { risk: { level: "unknown", reason }, subjects, onlyOnce: true };
}

function worst(
  { commands, redirects }: ParsedShell,
  opened: readonly PathSubject[],
  moves: boolean,
  place: Pick<ToolPlace, "workspace">,
): Risk {
  const risks: Risk[] = commands.map((command) => riskIn(command, moves, place));
  for (const [i, { access, path }] of opened.entries()) {
    const target = redirects[i]?.target ?? "";
    if (access === "write") risks.push({ level: "unknown", reason: `it writes ${target.slice(0, 200)}` });
    else if (moves || !isWithin(path, place.workspace)) risks.push(outside(target));
  }
  if (risks.length === 0) return { level: "safe", reason: "it runs nothing" };
  return risks.reduce((most, risk) => (WORSE.indexOf(risk.level) > WORSE.indexOf(most.level) ? risk : most));
}

/** A command that reads is harmless where it reads: in the workspace. */
function riskIn(command: ParsedCommand, moves: boolean, place: Pick<ToolPlace, "workspace">): Risk {
  const { level, reason, files, followsLinks = false } = riskOfCommand(command);
  if (level !== "read") return { level, reason };
  if (moves || place.workspace === "") return outside(command.words.join(" "));
  const found = files.map((file) => look(file, "read", place));
  const away = found.findIndex(({ path }) => !isWithin(path, place.workspace) || (followsLinks && isFolder(path)));
  return away === -1 ? { level, reason } : outside(files[away] ?? "");
}

function isFolder(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  } catch (error) {
    if (typeof (error as NodeJS.ErrnoException).code === "string") return true;
    throw error;
  }
}

function outside(what: string): Risk {
  return { level: "unknown", reason: `it may read outside of the workspace: ${what.slice(0, 200)}` };
}

/** Every word of a command that may be a file, also behind a flag or an equals sign. */
function pathsNamed({ words }: ParsedCommand): { readonly path: string; readonly access: "read" | "write" }[] {
  const name = words.find((word) => !/^\w+\+?=/.test(word)) ?? "";
  const access = WRITERS.has(name.slice(name.lastIndexOf("/") + 1)) ? "write" : "read";
  return words
    .flatMap((word) => {
      if (word.startsWith("-"))
        return /^-\w(?=[/.~])/.test(word) ? [word.slice(2), ...afterEquals(word)] : afterEquals(word);
      return [word, ...afterEquals(word)];
    })
    .filter((path) => path.length <= 4096)
    .map((path) => ({ path, access }));
}

function afterEquals(word: string): string[] {
  const at = word.indexOf("=");
  return at === -1 ? [] : [word.slice(at + 1)];
}

function look(text: string, access: "read" | "write", { workspace }: Pick<ToolPlace, "workspace">): PathSubject {
  const plain = text.replace(/^(?:~|\$HOME|\$\{HOME\})(?=\/|$)/, homedir());
  // As the system will read it: what `..` means is known only after the links before it.
  const asWritten = isAbsolute(plain) ? plain : `${join("/", workspace)}/${plain}`;
  const given = resolve(asWritten);
  return { kind: "path", access, given, path: canonicalOrGiven(asWritten, given) };
}

/** What cannot be looked at is held against the rules as it is given; the command will be refused it too. */
function canonicalOrGiven(asWritten: string, given: string): string {
  try {
    return canonicalPath(asWritten);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // A command that starts in the workspace has a shorter name for it, which may not be too long.
    if (code === "ENAMETOOLONG") return "";
    if (typeof code === "string") return given;
    throw error;
  }
}
