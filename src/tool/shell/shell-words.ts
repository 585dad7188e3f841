import type { ProcessExit } from "../process/process.ts";

/** A run of a command that is over. */
export interface RunOfCommand {
  readonly exit: ProcessExit | "timeout" | "aborted";
  readonly durationMs: number;
  readonly timeoutMs: number;
  /** How many processes were ended because they were still there. */
  readonly ended: number;
  readonly output: string;
}

/** What the model is told of it; how it ended stands first, where no cut takes it away. */
export function formatRun({ exit, durationMs, timeoutMs, ended, output }: RunOfCommand): string {
  const took = formatSeconds(durationMs);
  const printed = output === "" ? "[no output]" : output;
  if (exit === "timeout") {
    const mend = "give a larger timeout_ms, or run it with background: true";
    return `ended after ${formatSeconds(timeoutMs)}, its time limit; ${mend}\n${printed}`;
  }
  if (exit === "aborted") return `ended after ${took}: the turn was stopped\n${printed}`;
  const left = ended === 0 ? "" : `\n[${leftRunning(ended)}; what shall go on is run with background: true]`;
  return `${formatExit(exit)} after ${took}${left}\n${printed}`;
}

export function formatExit({ code, signal }: ProcessExit): string {
  return signal === null ? `exit code ${code}` : `ended by the signal ${signal}`;
}

export function formatSeconds(durationMs: number): string {
  return durationMs < 10_000 ? `${(durationMs / 1000).toFixed(1)} s` : `${Math.round(durationMs / 1000)} s`;
}

function leftRunning(count: number): string {
  return count === 1
    ? "1 process that it left running was ended"
    : `${count} processes that it left running were ended`;
}

/** Why a shell could not be started, for the model. */
export function startError(error: unknown): Error {
  const { code = "", syscall = "" } = error as NodeJS.ErrnoException;
  if (!syscall.startsWith("spawn")) return error instanceof Error ? error : new Error(String(error));
  const why: Readonly<Record<string, string>> = {
    ENOENT: "the shell, or the workspace's folder, is gone",
    E2BIG: "the command is longer than this system takes; write what is long to a file, and run that",
    EAGAIN: "too many processes run on this machine; end some",
    ENOMEM: "this machine has no memory left",
    EMFILE: "the engine has no descriptors left; try again later",
    EACCES: "the workspace's folder may not be entered",
  };
  return new Error(`the command was not started: ${why[code] ?? code}`, { cause: error });
}
