import {
  hasProcessTable,
  holdsAny,
  inPieces,
  listProcesses,
  type ProcessEntry,
  readEntry,
  readMark,
  readOutputs,
} from "./process-table.ts";

/** A process that was looked for. */
export interface Found extends ProcessEntry {
  /** Whether all of its group are looked for, so that the group can be signalled as one. */
  readonly isGroupWhole: boolean;
}

/** Finds the processes of a call, again and again, until there are none. */
export interface Hunt {
  /** Those that live now. */
  look(): Promise<readonly Found[]>;
}

/** What makes a process one of those that are looked for. */
export interface Quarry {
  /** Whether a mark is theirs. */
  readonly isMarked: (mark: string) => boolean;
  /** The first process, which leads a group and a session of its own; undefined where only marks are known. */
  readonly leader?: number;
}

/**
 * A process belongs to a call by its mark, by holding what the first one printed to, by a session that one of them leads, or by
 * its parents; and once it was seen to, it always does. So one that threw its environment away is found too, as long as it can
 * still print, or its parents, or any of its session, live. Never this process and those that started it, though they carry a
 * mark where a call started them.
 */
export function createHunt(quarry: Quarry): Hunt {
  return hasProcessTable() ? huntInTable(quarry) : createGroupHunt(quarry.leader);
}

function huntInTable({ isMarked, leader }: Quarry): Hunt {
  let known = new Map<string, boolean>();
  const spared = ownLine();
  // A session of this process's own line is everybody's in it.
  const sparedSessions = new Set([...spared].map((pid) => readEntry(pid)?.session));
  let led = leader;
  // None of them is older than the first: most of what runs need not be looked at closely.
  const outputs = leader === undefined ? [] : readOutputs(leader);
  const since = leader === undefined ? 0 : (readEntry(leader)?.startTicks ?? 0);

  function isKnown(entry: ProcessEntry): boolean {
    const before = known.get(keyOf(entry));
    if (before !== undefined) return before;
    if (entry.startTicks < since) return false;
    const mark = readMark(entry.pid);
    return (mark !== undefined && isMarked(mark)) || holdsAny(entry.pid, outputs);
  }

  return {
    async look() {
      const all = (await listProcesses()).filter(({ pid }) => !spared.has(pid));
      const isTheirs = await inPieces(all, (entry) => entry.session === led || isKnown(entry));
      const found = new Set(all.filter((_entry, i) => isTheirs[i]));
      for (let size = -1; size !== found.size;) {
        size = found.size;
        const pids = new Set([...found].map(({ pid }) => pid));
        const sessions = new Set([...found].map(({ session }) => session).filter((id) => !sparedSessions.has(id)));
        for (const entry of all) if (pids.has(entry.parent) || sessions.has(entry.session)) found.add(entry);
      }
      known = new Map(all.map((entry) => [keyOf(entry), found.has(entry)]));
      // Once nobody is in it, its number may become another's.
      if (![...found].some(({ session }) => session === led)) led = undefined;
      return [...found].map((entry) => ({ ...entry, isGroupWhole: !sparedSessions.has(entry.session) }));
    },
  };
}

function keyOf({ pid, startTicks }: ProcessEntry): string {
  return `${pid} ${startTicks}`;
}

/** This process and all that it descends from. */
function ownLine(): Set<number> {
  const line = new Set<number>();
  for (let pid = process.pid; pid > 0 && !line.has(pid); pid = readEntry(pid)?.parent ?? 0) line.add(pid);
  return line;
}

/** For where the system lists no processes to us: the group, as a whole. What left it is not found. */
export function createGroupHunt(leader: number | undefined): Hunt {
  return {
    look: async () => {
      if (leader === undefined || !sendSignal(-leader, 0)) return [];
      return [{ pid: leader, parent: 0, group: leader, session: leader, startTicks: 0, isGroupWhole: true }];
    },
  };
}

/** False where there is nobody to get it, or it is not ours to send. */
export function sendSignal(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ESRCH" || code === "EPERM") return false;
    throw error;
  }
}
