import type { SandboxWrap } from "./process.ts";
import { createProcesses, type Processes } from "./processes.ts";
import { createShellJobs } from "../shell/shell-jobs.ts";
import { createShellJobsTool } from "../shell/shell-jobs-tool.ts";
import { createShellTool, type ShellDeps } from "../shell/shell.ts";
import type { Tool } from "../tool.ts";

export interface CommandsDeps extends Pick<ShellDeps, "assess" | "allowsWorkspace" | "env"> {
  /** Names the engine in the marks of its processes. */
  readonly owner: string;
  /** Absent = commands are not put into a sandbox. */
  readonly wrap?: SandboxWrap;
  /** Takes away what a session's commands have left outside of its workspace. */
  readonly forget?: (sessionId: string) => Promise<void>;
  /** Told where processes of a call could not be ended. */
  readonly onLeft: (callId: string, count: number) => void;
  readonly onBug: (what: string, error: unknown) => void;
}

/** All that runs commands. */
export interface Commands {
  readonly processes: Processes;
  readonly tools: readonly Tool[];
  /** Ends what a session runs, in the background too, and forgets it. */
  endProcesses(sessionId: string): Promise<void>;
}

export function createCommands(deps: CommandsDeps): Commands {
  const processes = createProcesses(deps);
  const jobs = createShellJobs(deps.onBug);
  return {
    processes,
    tools: [createShellTool({ ...deps, processes, jobs }), createShellJobsTool(jobs)],
    async endProcesses(sessionId) {
      await processes.endSession(sessionId);
      jobs.forget(sessionId);
      // A session is not kept for a folder that cannot be removed; the next start tries again.
      await deps.forget?.(sessionId).catch((error: unknown) => deps.onBug("removing a temporary folder", error));
    },
  };
}
