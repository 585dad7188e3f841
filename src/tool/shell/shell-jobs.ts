import { type Clock, systemClock } from "../../clock.ts";
import { createTail, type Tail } from "../process/output-buffer.ts";
import type { ProcessExit } from "../process/process.ts";
import type { CallProcess } from "../process/processes.ts";
import { startError } from "./shell-words.ts";
import type { OutputStream } from "../tool.ts";

/** Jobs of one session that run at the same time. */
const MAX_JOBS = 16;

/** Of what a job prints, so many characters are kept, the newest. */
const MAX_KEPT_CHARS = 256 * 1024;

/** Jobs that are over and can still be read: of one session, and in the whole engine, where the session with most of them gives way. */
const MAX_ENDED = 64;
const MAX_ENDED_IN_ALL = 128;

/** Starts a shell whose output is told. */
export type StartShell = (
  onOutput: (stream: OutputStream, text: string) => Promise<void> | void,
) => Promise<CallProcess>;

/** A command that runs in the background. */
export interface Job {
  /** From 1, within its session. */
  readonly number: number;
  readonly command: string;
  readonly startedAtMs: number;
  readonly process: CallProcess;
  readonly printed: Tail;
  /** How far it was read. */
  readTo: number;
  /** How its shell ended; undefined while it runs. What it has started may go on. */
  exit: ProcessExit | Error | undefined;
  endedAtMs: number;
  /** Told when it prints or ends. */
  readonly listeners: Set<() => void>;
}

/** What is to run in the background. */
export interface JobRequest {
  readonly command: string;
  /** Undefined = it is never ended by the clock. */
  readonly timeoutMs: number | undefined;
}

/** What runs in the background for sessions. It is gone with the engine. */
export interface ShellJobs {
  /** Resolves with its number. Throws with a message for the model where too many run. */
  start(owner: { readonly sessionId: string }, request: JobRequest, start: StartShell): Promise<number>;
  list(sessionId: string): readonly Job[];
  /** Throws with a message for the model where there is none. */
  get(sessionId: string, number: number): Job;
  /** How many processes of it live. */
  countLiving(job: Job): Promise<number>;
  /** The session is gone. Its processes are ended by who ends those of sessions. */
  forget(sessionId: string): void;
}

/** `onBug` is told where a job whose time was over could not be ended. */
export function createShellJobs(onBug: (what: string, error: unknown) => void, clock: Clock = systemClock): ShellJobs {
  const jobsBySession = new Map<string, Map<number, Job>>();
  const starting = new Map<string, number>();

  /** A job of which nothing lives is let go of by who keeps processes. */
  async function countLiving({ exit, process }: Job): Promise<number> {
    const count = exit instanceof Error ? 0 : await process.countLiving();
    if (exit !== undefined && count === 0) await process.end();
    return count;
  }

  function settle(sessionId: string, job: Job, exit: ProcessExit | Error): void {
    job.exit = exit;
    job.endedAtMs = clock.monotonic();
    for (const tell of job.listeners) tell();
    dropOldest(sessionId, MAX_ENDED);
    const counts = [...jobsBySession].map(([id, jobs]) => ({ id, count: endedOf(jobs).length }));
    if (counts.reduce((sum, { count }) => sum + count, 0) <= MAX_ENDED_IN_ALL) return;
    const { id, count } = counts.reduce((most, one) => (one.count > most.count ? one : most));
    dropOldest(id, count - 1);
  }

  function dropOldest(sessionId: string, most: number): void {
    const jobs = jobsBySession.get(sessionId);
    if (jobs === undefined) return;
    for (const { number } of endedOf(jobs).slice(0, -most)) jobs.delete(number);
  }

  /** Those that are being started count, too: an answer may ask for many at once. */
  async function checkRoom(jobs: ReadonlyMap<number, Job>, isStarting: number): Promise<void> {
    if (jobs.size + isStarting <= MAX_JOBS) return;
    const counts = await Promise.all([...jobs.values()].map(countLiving));
    if (counts.filter((count) => count > 0).length + isStarting <= MAX_JOBS) return;
    throw new Error(
      `${MAX_JOBS} jobs run in the background of this session, and no more may; stop one with shell_jobs`,
    );
  }

  async function startJob(
    sessionId: string,
    jobs: Map<number, Job>,
    { command, timeoutMs }: JobRequest,
    start: StartShell,
  ): Promise<number> {
    const printed = createTail(MAX_KEPT_CHARS);
    const listeners = new Set<() => void>();
    const process = await start((_stream, text) => {
      printed.add(text);
      for (const tell of listeners) tell();
    });
    const number = Math.max(0, ...jobs.keys()) + 1;
    const startedAtMs = clock.monotonic();
    const job: Job = {
      number,
      command,
      startedAtMs,
      process,
      printed,
      readTo: 0,
      exit: undefined,
      endedAtMs: 0,
      listeners,
    };
    jobs.set(number, job);
    const endLate = (): void => void process.end().catch((error: unknown) => onBug("ending a job", error));
    const cancelTimer = timeoutMs === undefined ? undefined : clock.after(timeoutMs, endLate);
    process.exited
      .then(
        (exit) => settle(sessionId, job, exit),
        (error: unknown) => settle(sessionId, job, startError(error)),
      )
      .finally(cancelTimer);
    return number;
  }

  return {
    async start({ sessionId }, request, start) {
      const jobs = jobsBySession.get(sessionId) ?? new Map<number, Job>();
      jobsBySession.set(sessionId, jobs);
      starting.set(sessionId, (starting.get(sessionId) ?? 0) + 1);
      try {
        await checkRoom(jobs, starting.get(sessionId) ?? 0);
        return await startJob(sessionId, jobs, request, start);
      } finally {
        const left = (starting.get(sessionId) ?? 1) - 1;
        if (left > 0) starting.set(sessionId, left);
        else starting.delete(sessionId);
      }
    },
    list: (sessionId) => [...(jobsBySession.get(sessionId)?.values() ?? [])],
    get(sessionId, number) {
      const job = jobsBySession.get(sessionId)?.get(number);
      if (job !== undefined) return job;
      const known = [...(jobsBySession.get(sessionId)?.keys() ?? [])].join(", ");
      const kept = `of those that are over the newest ${MAX_ENDED} are kept`;
      throw new Error(`there is no job ${number}; there ${known === "" ? "are none" : `is ${known}`} (${kept})`);
    },
    countLiving,
    forget: (sessionId) => void jobsBySession.delete(sessionId),
  };
}

/** The one that ended first stands first. */
function endedOf(jobs: ReadonlyMap<number, Job>): readonly Job[] {
  return [...jobs.values()]
    .filter(({ exit }) => exit !== undefined)
    .toSorted((one, other) => one.endedAtMs - other.endedAtMs);
}
