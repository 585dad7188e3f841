import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** The variable by which every process of a call is found, whatever became of its parents. */
export const MARK_NAME = "PARLEY_CALL";

/** So many processes are looked at in one go; in between the engine does what else there is to do. */
const PIECE = 50;

/** The most of a command line that is shown. */
const MAX_COMMAND_CHARS = 200;

/** A living process, as the system lists it. */
export interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  /** The process group. */
  readonly group: number;
  /** The session, in the words of the system: what a terminal once was. */
  readonly session: number;
  /** When it was started, in ticks of the system's clock. With the pid it names one process: a pid is used again. */
  readonly startTicks: number;
}

/** Whether this system tells what runs on it. Elsewhere only process groups can be ended. */
export function hasProcessTable(): boolean {
  return readEntry("self") !== undefined;
}

/** All that runs and may be looked at, and does more than wait to be buried. */
export async function listProcesses(): Promise<ProcessEntry[]> {
  const names = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  const entries = await inPieces(names, readEntry);
  return entries.filter((entry) => entry !== undefined);
}

/** Looks at one process after the other and lets others have their turn meanwhile. */
export async function inPieces<T, R>(items: readonly T[], look: (item: T) => R): Promise<R[]> {
  const results: R[] = [];
  for (const [at, item] of items.entries()) {
    if (at > 0 && at % PIECE === 0) await new Promise((resolve) => setImmediate(resolve));
    results.push(look(item));
  }
  return results;
}

/** Undefined where it is gone, or a zombie. */
export function readEntry(pid: number | string): ProcessEntry | undefined {
  const stat = readOf(pid, "stat");
  // The name stands in brackets and may hold any character, brackets too.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state = "", parent, group, session] = fields;
  if (state === "" || state === "Z" || state === "X") return undefined;
  return {
    pid: Number.parseInt(stat, 10),
    parent: Number(parent),
    group: Number(group),
    session: Number(session),
    startTicks: Number(fields[19]),
  };
}

/** The mark that a process was started with; undefined where it has none, or is not ours to look at. */
export function readMark(pid: number): string | undefined {
  const environment = readOf(pid, "environ");
  const at = environment.startsWith(`${MARK_NAME}=`) ? 0 : environment.indexOf(`\0${MARK_NAME}=`) + 1;
  if (at === 0 && !environment.startsWith(`${MARK_NAME}=`)) return undefined;
  return environment.slice(at + MARK_NAME.length + 1).split("\0", 1)[0];
}

/** Where a process that was just started prints, in the system's words; empty where that cannot be told. */
export function readOutputs(pid: number): string[] {
  return [1, 2].map((fd) => readLink(pid, String(fd))).filter((target) => /^(socket|pipe):/.test(target));
}

/** Whether a process holds one of these open. */
export function holdsAny(pid: number, outputs: readonly string[]): boolean {
  return outputs.length > 0 && listDescriptors(pid).some((fd) => outputs.includes(readLink(pid, fd)));
}

/** What a process runs, in one line for humans. */
export function readCommand(pid: number): string {
  const line = readOf(pid, "cmdline").replaceAll("\0", " ").trim() || readOf(pid, "comm").trim();
  return line.length > MAX_COMMAND_CHARS ? `${line.slice(0, MAX_COMMAND_CHARS).toWellFormed()}...` : line;
}

function readOf(pid: number | string, file: string): string {
  return orNone(() => readFileSync(`/proc/${pid}/${file}`, "utf8"), "");
}

function readLink(pid: number, fd: string): string {
  return orNone(() => readlinkSync(`/proc/${pid}/fd/${fd}`), "");
}

function listDescriptors(pid: number): readonly string[] {
  return orNone(() => readdirSync(`/proc/${pid}/fd`), []);
}

/** `none` where the process is gone, somebody else's, or nothing is told of processes here. */
function orNone<T>(read: () => T, none: T): T {
  try {
    return read();
  } catch (error) {
    if (typeof (error as NodeJS.ErrnoException).code === "string") return none;
    throw error;
  }
}
