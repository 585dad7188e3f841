import { type Clock, systemClock } from "../../clock.ts";
import type { JsonObject } from "../../message/message.ts";
import { checkNames, findCount, findFlag, readText } from "../file/file-arguments.ts";
import type { Job, ShellJobs } from "./shell-jobs.ts";
import { formatExit, formatSeconds } from "./shell-words.ts";
import type { Tool } from "../tool.ts";

const MAX_WAIT_MS = 60_000;
const MAX_COMMAND_CHARS = 120;

const properties = {
  action: { type: "string", enum: ["list", "read", "stop"], description: "What to do." },
  job: { type: "integer", minimum: 1, description: "The job's number; not for list." },
  all: {
    type: "boolean",
    description: "For read: true = all that is kept of what it printed, not only what is new since the last read.",
  },
  wait_ms: {
    type: "integer",
    minimum: 1,
    maximum: MAX_WAIT_MS,
    description: "For read: waits so long, at most, until there is something new or it has ended.",
  },
};

/** The tool `shell_jobs`: what runs in the background of its own session. It starts nothing and reaches nothing else. */
export function createShellJobsTool(jobs: ShellJobs, clock: Clock = systemClock): Tool {
  return {
    name: "shell_jobs",
    description: "Lists, reads and stops the commands that shell runs in the background of this session.",
    parameters: { type: "object", properties, required: ["action"], additionalProperties: false },
    assess: (args) => {
      readArguments(args);
      return { risk: { level: "none", reason: "it looks at and stops what the session has started" }, subjects: [] };
    },
    run: async (args, { sessionId, signal }) => {
      const request = readArguments(args);
      if (request.action === "list") return { text: await listText(jobs, sessionId, clock) };
      const job = jobs.get(sessionId, request.job);
      if (request.action === "stop") {
        const ended = await job.process.end();
        const line = await lineOf(jobs, job, clock);
        return { text: `${line}; ${ended.length} of its processes were ended\n${readNew(job, request.all)}` };
      }
      if (request.waitMs !== undefined) await untilNews(job, request.waitMs, signal, clock);
      return { text: `${await lineOf(jobs, job, clock)}\n${readNew(job, request.all)}` };
    },
  };
}

function readArguments(args: JsonObject) {
  checkNames(args, properties);
  const action = readText(args, "action");
  if (action !== "list" && action !== "read" && action !== "stop") {
    throw new Error(`action is ${JSON.stringify(action.slice(0, 100))}; give list, read or stop`);
  }
  const job = findCount(args, "job", Number.MAX_SAFE_INTEGER);
  const all = findFlag(args, "all");
  const waitMs = findCount(args, "wait_ms", MAX_WAIT_MS);
  if (action === "list") return { action } as const;
  if (job === undefined) throw new Error(`job is missing; give the number of the job to ${action}`);
  return { action, job, all, waitMs } as const;
}

async function listText(jobs: ShellJobs, sessionId: string, clock: Clock): Promise<string> {
  const lines = await Promise.all(jobs.list(sessionId).map((job) => lineOf(jobs, job, clock)));
  return lines.length === 0 ? "[no jobs]" : lines.join("\n");
}

/** `job 1: running for 3.0 s: npm start` */
async function lineOf(jobs: ShellJobs, job: Job, clock: Clock): Promise<string> {
  const living = await jobs.countLiving(job);
  const command = job.command.replace(/\s+/g, " ").trim();
  const shown =
    command.length > MAX_COMMAND_CHARS ? `${command.slice(0, MAX_COMMAND_CHARS)}...`.toWellFormed() : command;
  return `job ${job.number}: ${stateOf(job, living, clock)}: ${shown}`;
}

function stateOf({ exit, startedAtMs, endedAtMs }: Job, living: number, clock: Clock): string {
  if (exit === undefined) return `running for ${formatSeconds(clock.monotonic() - startedAtMs)}`;
  if (exit instanceof Error) return exit.message;
  const how = `${formatExit(exit)} after ${formatSeconds(endedAtMs - startedAtMs)}`;
  return living === 0 ? how : `${how}, and ${living} of its processes go on`;
}

function readNew(job: Job, all: boolean): string {
  const { text, dropped } = job.printed.read(all ? 0 : job.readTo);
  job.readTo = job.printed.length();
  if (text === "") return all ? "[no output]" : "[no new output]";
  return dropped === 0 ? text : `[${dropped} characters before this are not kept]\n${text}`;
}

/** Resolves when there is something to read that was not, when the job has ended, or when the time is over. */
function untilNews(job: Job, waitMs: number, signal: AbortSignal, clock: Clock): Promise<void> {
  if (job.exit !== undefined || job.printed.length() > job.readTo) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const forget = (): void => {
      cancelTimer();
      job.listeners.delete(onNews);
      signal.removeEventListener("abort", onAbort);
    };
    const onNews = (): void => {
      forget();
      resolve();
    };
    const onAbort = (): void => {
      forget();
      reject(signal.reason as Error);
    };
    const cancelTimer = clock.after(waitMs, onNews);
    job.listeners.add(onNews);
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
  });
}
