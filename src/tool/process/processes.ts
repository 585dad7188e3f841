import { systemClock } from "../../clock.ts";
import { endProcesses, type EndedProcess, GRACE_MS } from "./end-processes.ts";
import { createHunt } from "./hunt.ts";
import { type ProcessRequest, type SandboxWrap, type StartedProcess, startProcess } from "./process.ts";
import { MARK_NAME } from "./process-table.ts";
import { isSandboxPart } from "../sandbox/sandbox-runtime.ts";

/** What a process printed before it was ended is read for so long at most. */
const MAX_DRAIN_MS = 5000;

/** The start of an engine waits for what another left. */
const LEFT_OVER_GRACE_MS = 500;

/** Whose a process is. */
export interface CallOfProcess {
  readonly sessionId: string;
  readonly turnId: string;
  readonly callId: string;
  readonly workspace: string;
  /** Aborted: nothing is started any more. */
  readonly signal: AbortSignal;
}

/** A process that was ended, and the call that had started it. */
export interface KilledProcess extends EndedProcess {
  readonly callId: string;
}

/** A process of a call, with all that it starts. */
export interface CallProcess extends StartedProcess {
  /** How many of them live. */
  countLiving(): Promise<number>;
  /** Ends all of them, and tells which; asked again, it tells the same. Nothing of the call is left when it has resolved. */
  end(): Promise<readonly KilledProcess[]>;
}

/** All processes that calls have started and that may live. */
export interface Processes {
  /** Rejects where it cannot be made ready to be started. */
  start(call: CallOfProcess, request: ProcessRequest): Promise<CallProcess>;
  /** Ends what the calls of a turn have started, also what was to outlive it. */
  endTurn(turnId: string): Promise<readonly KilledProcess[]>;
  endSession(sessionId: string): Promise<void>;
  endAll(): Promise<void>;
}

export interface ProcessesDeps {
  /** Names the engine in the marks. */
  readonly owner: string;
  /** Absent = processes are started as they are. */
  readonly wrap?: SandboxWrap | undefined;
  /** Told where some could not be ended. */
  readonly onLeft: (callId: string, count: number) => void;
}

interface Running {
  readonly call: CallOfProcess;
  readonly process: CallProcess;
}

export function createProcesses({ owner, wrap, onLeft }: ProcessesDeps): Processes {
  const running = new Set<Running>();

  async function endThose(which: (call: CallOfProcess) => boolean): Promise<readonly KilledProcess[]> {
    const those = [...running].filter(({ call }) => which(call));
    return (await Promise.all(those.map(({ process }) => process.end()))).flat();
  }

  function run(call: CallOfProcess, request: ProcessRequest, mark: string, cleanup: () => Promise<void> | void) {
    const started = startProcess(request);
    const { pid } = started;
    const hunt = createHunt({ isMarked: (found) => found === mark, ...(pid !== undefined && { leader: pid }) });
    const endOnce = async (): Promise<readonly KilledProcess[]> => {
      const { ended, left } = pid === undefined ? { ended: [], left: 0 } : await endProcesses(hunt, GRACE_MS);
      await drainWithin(started, MAX_DRAIN_MS);
      await cleanup();
      running.delete(self);
      if (left > 0) onLeft(call.callId, left);
      const own = ended.filter(({ command }) => !isSandboxPart(command));
      return own.map((process) => ({ ...process, callId: call.callId }));
    };
    let ending: Promise<readonly KilledProcess[]> | undefined;
    const process: CallProcess = {
      ...started,
      countLiving: async () => (await hunt.look()).length,
      end: () => (ending ??= endOnce()),
    };
    const self: Running = { call, process };
    running.add(self);
    return process;
  }

  return {
    async start(call, request) {
      const mark = markOf(owner, call.callId);
      const env = { ...request.env, [MARK_NAME]: mark };
      const plain = { argv: request.argv, env, cleanup: () => {} };
      const wrapped = wrap === undefined ? plain : await wrap(request.argv, { ...call, env });
      try {
        // Who ends a turn's processes has ended those that there were; this one would be missed.
        call.signal.throwIfAborted();
        return run(call, { ...request, argv: wrapped.argv, env: wrapped.env }, mark, wrapped.cleanup);
      } catch (error) {
        await wrapped.cleanup();
        throw error;
      }
    },
    endTurn: (turnId) => endThose((call) => call.turnId === turnId),
    endSession: async (sessionId) => void (await endThose((call) => call.sessionId === sessionId)),
    endAll: async () => void (await endThose(() => true)),
  };
}

/**
 * Lets the last of the output be read and the end be told, and then reads no more: what holds the other end may be somebody who
 * could not be ended.
 */
async function drainWithin({ exited, drained, closeOutput }: StartedProcess, maxMs: number): Promise<void> {
  let cancel: (() => void) | undefined;
  const late = new Promise<void>((resolve) => (cancel = systemClock.after(maxMs, resolve)));
  // What went wrong is told to who waits for the one or the other.
  await Promise.race([Promise.allSettled([exited, drained]), late]);
  cancel?.();
  closeOutput();
}

/** Names the engine, so that no other ends what is not its own, and the call. */
export function markOf(owner: string, callId: string): string {
  return `${owner}/${callId}`;
}

/** Ends what the calls of an engine that is no more have left. */
export async function endLeftOvers(owner: string): Promise<readonly EndedProcess[]> {
  const prefix = markOf(owner, "");
  const { ended } = await endProcesses(createHunt({ isMarked: (mark) => mark.startsWith(prefix) }), LEFT_OVER_GRACE_MS);
  return ended;
}
