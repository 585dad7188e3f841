import { realpath } from "node:fs/promises";
import { delimiter, isAbsolute } from "node:path";
import { type Clock, systemClock } from "../../clock.ts";
import type { JsonObject } from "../../message/message.ts";
import { isBelow } from "../../workspace/path-names.ts";
import { checkNames, findCount, findFlag, readText } from "../file/file-arguments.ts";
import { findProgram } from "../process/find-program.ts";
import { createOutputBuffer, type OutputBuffer } from "../process/output-buffer.ts";
import type { ProcessExit } from "../process/process.ts";
import type { Processes } from "../process/processes.ts";
import type { ShellJobs, StartShell } from "./shell-jobs.ts";
import { formatRun, startError } from "./shell-words.ts";
import type { Assessment, Tool, ToolContext, ToolPlace } from "../tool.ts";

const DEFAULT_TIMEOUT_MS = 120_000;
const MAX_TIMEOUT_MS = 600_000;

/** Linux takes no argument of more, with the NUL that ends it. */
const MAX_COMMAND_BYTES = 128 * 1024 - 1;

/** Of what a command prints, so many characters from the beginning and as many from the end are kept. */
const MAX_KEPT_CHARS = 512 * 1024;

/** Where programs are looked for when the engine's environment does not say. */
const USUAL_PATH = "/usr/local/bin:/usr/bin:/bin";

const properties = {
  command: {
    type: "string",
    description: "What bash runs. Nothing can be typed into it: its standard input is empty.",
  },
  timeout_ms: {
    type: "integer",
    minimum: 1,
    maximum: MAX_TIMEOUT_MS,
    description: `The command is ended after so many milliseconds. Left out = ${DEFAULT_TIMEOUT_MS}; in the background, never.`,
  },
  background: {
    type: "boolean",
    description: "True = do not wait for its end: for servers and watchers. Read and stop it with shell_jobs.",
  },
};

export interface ShellDeps {
  readonly processes: Processes;
  readonly jobs: ShellJobs;
  /** Judges a command. */
  readonly assess: (command: string, place: ToolPlace) => Assessment | Promise<Assessment>;
  /** Whether sessions may work in a canonical folder. */
  readonly allowsWorkspace: (folder: string) => boolean;
  /** What commands find in their environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly clock?: Clock;
}

/** The tool `shell`: runs a command with bash, or sh where there is none, in the workspace. Nothing of it is left when it is over. */
export function createShellTool(deps: ShellDeps): Tool {
  return {
    name: "shell",
    description: [
      "Runs a command with bash in the workspace and tells its exit code with what it printed, standard error as it came in between.",
      "Each call is a shell of its own: cd and variables do not last. What a command leaves running is ended with it,",
      "unless background is true. In a sandbox only the workspace and $TMPDIR can be written, there is no network unless the",
      "engine allows hosts, and empty folders such as .bashrc or .vscode stand for names that cannot be written.",
    ].join(" "),
    parameters: { type: "object", properties, required: ["command"], additionalProperties: false },
    isAwaited: true,
    assess: async (args, place) => deps.assess(readArguments(args).command, place),
    run: async (args, context) => {
      const request = readArguments(args);
      await checkWorkspace(deps, context.workspace);
      const path = await pathOutside(deps.env["PATH"] || USUAL_PATH, context.workspace);
      const argv = await shellFor(request.command, path);
      const env = { ...deps.env, PATH: path, TERM: "dumb" };
      const start: StartShell = (onOutput) =>
        deps.processes.start(context, { argv, env, cwd: context.workspace, onOutput });
      if (request.background) {
        const number = await deps.jobs.start(context, request, start);
        return { text: `Job ${number} runs in the background. Read what it prints, or stop it, with shell_jobs.` };
      }
      return { text: await runForeground(start, request.timeoutMs ?? DEFAULT_TIMEOUT_MS, context, deps.clock) };
    },
  };
}

function readArguments(args: JsonObject) {
  checkNames(args, properties);
  const command = readText(args, "command");
  if (command.trim() === "") throw new Error("command is empty");
  if (command.includes("\0")) throw new Error("command holds a NUL character, which no command can");
  const bytes = Buffer.byteLength(command);
  if (bytes > MAX_COMMAND_BYTES) {
    throw new Error(
      `command has ${bytes} bytes and may have ${MAX_COMMAND_BYTES}; write what is long to a file, and run that`,
    );
  }
  const timeoutMs = findCount(args, "timeout_ms", MAX_TIMEOUT_MS);
  return { command, timeoutMs, background: findFlag(args, "background") };
}

/** Where a name is looked up: never in the workspace, since what is known to be harmless by its name would be whatever lies there. */
async function pathOutside(path: string, workspace: string): Promise<string> {
  const folders = path.split(delimiter).filter(isAbsolute);
  const targets = await Promise.all(folders.map((folder) => realpath(folder).catch(() => folder)));
  return folders
    .filter((folder, i) => !isBelow(workspace, folder) && !isBelow(workspace, targets[i] ?? folder))
    .join(delimiter);
}

async function checkWorkspace({ allowsWorkspace }: ShellDeps, workspace: string): Promise<void> {
  if (workspace === "") throw new Error("this session has no workspace, so there is no folder to run a command in");
  const found = await realpath(workspace).catch(() => undefined);
  if (found === undefined) throw new Error("the workspace's folder is not there any more");
  if (found !== workspace || !allowsWorkspace(workspace)) {
    throw new Error("the workspace is not a folder that this engine lets sessions work in");
  }
}

async function shellFor(command: string, path: string): Promise<[string, ...string[]]> {
  const bash = await findProgram("bash", path);
  if (bash !== undefined) return [bash, "--noprofile", "--norc", "-c", command];
  const sh = await findProgram("sh", path);
  if (sh === undefined) throw new Error("there is no bash and no sh where programs are looked for on this machine");
  return [sh, "-c", command];
}

/** Runs it to its end, or until its time is over or the turn is stopped; then ends what is left of it. */
async function runForeground(
  start: StartShell,
  timeoutMs: number,
  { signal, output }: ToolContext,
  clock: Clock = systemClock,
): Promise<string> {
  const buffer = createOutputBuffer(MAX_KEPT_CHARS, MAX_KEPT_CHARS);
  const startedAt = clock.monotonic();
  const process = await start(async (stream, text) => {
    buffer.add(text);
    await output(stream, text);
  });
  const { stopped, forget } = whenStopped(signal, timeoutMs, clock);
  let exit: ProcessExit | "timeout" | "aborted";
  try {
    exit = await Promise.race([process.exited, stopped, failureOf(process.drained)]);
  } catch (error) {
    throw startError(error);
  } finally {
    forget();
    // Also what it has put into the background.
    await process.end();
  }
  signal.throwIfAborted();
  await process.drained;
  const ended = await process.end();
  return tell(exit, { durationMs: clock.monotonic() - startedAt, timeoutMs, ended: ended.length, buffer });
}

function tell(
  exit: ProcessExit | "timeout" | "aborted",
  run: {
    readonly durationMs: number;
    readonly timeoutMs: number;
    readonly ended: number;
    readonly buffer: OutputBuffer;
  },
): string {
  const text = formatRun({ ...run, exit, output: run.buffer.text() });
  if (exit === "timeout") throw new Error(text);
  return text;
}

/** Resolves when a command is to be ended before its end. */
function whenStopped(signal: AbortSignal, timeoutMs: number, clock: Clock) {
  const { promise: stopped, resolve } = Promise.withResolvers<"timeout" | "aborted">();
  const onAbort = (): void => resolve("aborted");
  const cancelTimer = clock.after(timeoutMs, () => resolve("timeout"));
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  const forget = (): void => {
    cancelTimer();
    signal.removeEventListener("abort", onAbort);
  };
  return { stopped, forget };
}

/** Never resolves; rejects where a promise does. */
function failureOf(promise: Promise<void>): Promise<never> {
  return new Promise((_, reject) => {
    promise.catch(reject);
  });
}
