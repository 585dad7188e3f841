import { systemClock } from "../../clock.ts";
import { type Found, type Hunt, sendSignal } from "./hunt.ts";
import { inPieces, readCommand } from "./process-table.ts";

/** How long a process has to end by itself after SIGTERM. */
export const GRACE_MS = 2000;

/** What lives so long after it was first told to end at once is left, and told: one that waits for a dead disk cannot be ended by anybody. */
const MAX_END_MS = 8000;

/** Those that fork are stopped in so many rounds at most, before they are ended. */
const MAX_STOP_ROUNDS = 20;

/** Looked again after so long, and then ever later. */
const FIRST_LOOK_MS = 5;
const LAST_LOOK_MS = 100;

/** A process that was ended. */
export interface EndedProcess {
  readonly pid: number;
  /** What it ran. */
  readonly command: string;
}

/** What became of the processes of a call. */
export interface Ended {
  readonly ended: readonly EndedProcess[];
  /** How many could not be. */
  readonly left: number;
}

/**
 * Ends all that a hunt finds: SIGTERM, then after a grace SIGKILL, until none is left. Those that ignore the first are stopped
 * before they get the second: one that forks when it is asked to end, or faster than one can look, cannot while it is stopped.
 */
export async function endProcesses(hunt: Hunt, graceMs = GRACE_MS): Promise<Ended> {
  const seen = new Map<string, EndedProcess>();
  const look = async (): Promise<readonly Found[]> => {
    const found = await hunt.look();
    await inPieces(found, ({ pid, startTicks }) => {
      const key = `${pid} ${startTicks}`;
      if (!seen.has(key)) seen.set(key, { pid, command: readCommand(pid) });
    });
    return found;
  };
  let found = await look();
  if (found.length > 0) {
    signalAll(found, "SIGTERM");
    // What is stopped ends only when it goes on.
    signalAll(found, "SIGCONT");
    found = await untilNone(look, graceMs);
  }
  // Counted from here: on a machine too busy to look at all of them in the grace, nobody would be ended at all.
  const hurriedAt = systemClock.monotonic();
  while (found.length > 0 && systemClock.monotonic() - hurriedAt < MAX_END_MS) {
    signalAll(await stopAll(look, found), "SIGKILL");
    found = await untilNone(look, LAST_LOOK_MS);
  }
  return { ended: [...seen.values()], left: found.length };
}

/** Stops all, and those that were made meanwhile, until a look finds no new one. */
async function stopAll(look: () => Promise<readonly Found[]>, first: readonly Found[]): Promise<readonly Found[]> {
  const stopped = new Set<number>();
  let found = first;
  for (let round = 0; round < MAX_STOP_ROUNDS; round++) {
    const running = found.filter(({ pid }) => !stopped.has(pid));
    if (running.length === 0) break;
    signalAll(running, "SIGSTOP");
    for (const { pid } of running) stopped.add(pid);
    found = await look();
  }
  return found;
}

/** To whole groups where it can be: a group gets a signal in one step, between which none of it forks. */
function signalAll(found: readonly Found[], signal: NodeJS.Signals): void {
  const groups = new Set(found.filter(({ isGroupWhole }) => isGroupWhole).map(({ group }) => group));
  for (const group of groups) sendSignal(-group, signal);
  for (const { pid, isGroupWhole } of found) if (!isGroupWhole) sendSignal(pid, signal);
}

/** Looks until none is found or the time is over; what lives then. */
async function untilNone(look: () => Promise<readonly Found[]>, maxMs: number): Promise<readonly Found[]> {
  const endMs = systemClock.monotonic() + maxMs;
  for (let waitMs = FIRST_LOOK_MS; ; waitMs = Math.min(waitMs * 2, LAST_LOOK_MS)) {
    await new Promise<void>((resolve) => systemClock.after(waitMs, resolve));
    const found = await look();
    if (found.length === 0 || systemClock.monotonic() >= endMs) return found;
  }
}
