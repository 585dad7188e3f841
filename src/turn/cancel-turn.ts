import { DomainError } from "../errors.ts";
import { getSession } from "../session/session-store.ts";
import type { KilledProcess, Processes } from "../tool/process/processes.ts";
import type { TurnDeps } from "./turn-deps.ts";
import type { TurnRunner } from "./turn-runner.ts";
import { getTurn, setCancelling, type StoredTurn } from "./turn-store.ts";

/** A turn that was stopped, and the processes of its calls that were ended by then. */
export interface CancelledTurn {
  readonly turn: StoredTurn;
  readonly killed: readonly KilledProcess[];
}

export type CancelTurnDeps = Pick<TurnDeps, "db" | "clock"> & {
  readonly runner: TurnRunner;
  readonly processes: Pick<Processes, "endTurn">;
};

/**
 * Stops a turn (empty id = the running one) with all processes that its calls have started, also those in the background, and
 * answers with it when it and they have ended, or as it is after `waitMs`. One that has ended is returned as it is. Throws
 * DomainError `SESSION_NOT_FOUND`, `TURN_NOT_FOUND`, `NO_TURN_RUNNING`.
 */
export async function cancelTurn(
  deps: CancelTurnDeps,
  request: { readonly sessionId: string; readonly turnId: string; readonly waitMs: number },
): Promise<CancelledTurn> {
  const { sessionId, waitMs } = request;
  const session = await getSession(deps.db, sessionId);
  const turnId = request.turnId || session.runningTurnId;
  if (turnId === "") {
    throw new DomainError("precondition", "NO_TURN_RUNNING", `session ${sessionId} runs no turn`, {
      session_id: sessionId,
    });
  }
  const turn = await getTurn(deps.db, sessionId, turnId);
  if (turn.state === "ended") return { turn, killed: [] };
  // Stopped before that is stored: on a disk that takes nothing the model is cut off all the same, and its turn ends as soon
  // as the disk takes that.
  deps.runner.stop(turnId, "cancelled");
  // Asked for in the same moment: what is ended before somebody asks is told to nobody.
  const ending = deps.processes.endTurn(turnId);
  const stopped = Promise.all([ending, deps.db.transact([setCancelling(turnId)], { essential: true })]);
  const done = stopped.then(() => {
    // One that waits for a human is not in memory.
    deps.runner.wake(turn);
    return deps.runner.whenDone(turnId);
  });
  // What fails is told; what lasts is not waited for.
  await Promise.race([done, timeOver(deps.clock, waitMs, done)]);
  const killed = await Promise.race([ending, Promise.resolve([])]);
  return { turn: await getTurn(deps.db, sessionId, turnId), killed };
}

/** Resolves after a time, or when there is nothing to wait for any more. */
function timeOver(clock: TurnDeps["clock"], waitMs: number, done: Promise<void>): Promise<void> {
  return new Promise((resolve) => {
    const cancelTimer = clock.after(waitMs, resolve);
    const forget = (): void => {
      cancelTimer();
      resolve();
    };
    done.then(forget, forget);
  });
}
