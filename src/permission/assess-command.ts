import { statSync } from "node:fs";
import type { Assessment, Risk, Subject, ToolPlace } from "../tool/tool.ts";
import { filesOf, isMove, look, type PathSubject } from "./command-files.ts";
import { isWithin } from "../workspace/path-names.ts";
import { parseInside } from "./shell-inside.ts";
import { parseShell, type ParsedCommand, type ParsedShell } from "./shell-parse.ts";
import { riskOfCommand } from "./shell-risk.ts";

/** From the least to the most that is to be said of a text: the worst of its commands counts. */
const WORSE: readonly Risk["level"][] = ["none", "read", "safe", "edit", "unknown", "destructive"];

/** Judges a text for bash: every command of it, also in texts for further shells, and every file that the shell opens for one. */
export async function assessCommand(text: string, place: Pick<ToolPlace, "workspace">): Promise<Assessment> {
  const parsed = await parseShell(text);
  const inside = await parseInside(parsed.commands);
  const files = filesOf(parsed, inside, place);
  const subjects: Subject[] = [
    ...parsed.commands.map((command): Subject => ({ kind: "command", ...command })),
    ...[...inside.commands, ...inside.elsewhere].map((command): Subject => ({
      kind: "command",
      ...command,
      isNamed: true,
    })),
    ...files.opened,
    ...files.mentioned,
  ];
  const risk = worst({ ...parsed, commands: [...parsed.commands, ...inside.commands] }, files.opened, place);
  const tooMany = files.isWhole ? "" : "it names too many files to be looked through";
  const doubt = parsed.unclear || inside.unclear || tooMany;
  if (doubt === "") return { risk, subjects };
  const reason = risk.level === "destructive" ? `${doubt}; ${risk.reason}` : doubt;
  const isUnread = parsed.unclear !== "" && parsed.commands.length + parsed.redirects.length === 0;
  return {
    risk: { level: risk.level === "destructive" ? "destructive" : "unknown", reason },
    subjects,
    onlyOnce: true,
    isUnseen: isUnread || !files.isWhole,
  };
}

function worst(
  { commands, redirects }: ParsedShell,
  opened: readonly PathSubject[],
  place: Pick<ToolPlace, "workspace">,
): Risk {
  // After a cd nobody can tell which file a relative name means.
  const moves = commands.some(isMove);
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
