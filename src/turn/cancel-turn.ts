import { DomainError } from "../errors.ts";
import { getSession } from "../session/session-store.ts";
import type { TurnDeps } from "./turn-deps.ts";
import type { TurnRunner } from "./turn-runner.ts";
import { getTurn, setCancelling, type StoredTurn } from "./turn-store.ts";

/**
 * Stops a turn (empty id = the running one) and answers with it when it has ended, or as it is after `waitMs`. One that has
 * ended is returned as it is. Throws DomainError `SESSION_NOT_FOUND`, `TURN_NOT_FOUND`, `NO_TURN_RUNNING`.
 */
export async function cancelTurn(
  deps: Pick<TurnDeps, "db" | "clock"> & { readonly runner: TurnRunner },
  request: { readonly sessionId: string; readonly turnId: string; readonly waitMs: number },
): Promise<StoredTurn> {
  const { sessionId, waitMs } = request;
  const session = await getSession(deps.db, sessionId);
  const turnId = request.turnId || session.runningTurnId;
  if (turnId === "") {
    throw new DomainError("precondition", "NO_TURN_RUNNING", `session ${sessionId} runs no turn`, {
      session_id: sessionId,
    });
  }
  const turn = await getTurn(deps.db, sessionId, turnId);
  if (turn.state === "ended") return turn;
  // Stopped before that is stored: on a disk that takes nothing the model is cut off all the same, and its turn ends as soon
  // as the disk takes that.
  deps.runner.stop(turnId, "cancelled");
  await deps.db.transact([setCancelling(turnId)], { essential: true });
  await doneWithin(deps, turnId, waitMs);
  return getTurn(deps.db, sessionId, turnId);
}

function doneWithin(
  { clock, runner }: Pick<TurnDeps, "clock"> & { readonly runner: TurnRunner },
  turnId: string,
  waitMs: number,
): Promise<void> {
  return new Promise((resolve) => {
    const cancelTimer = clock.after(waitMs, resolve);
    void runner.whenDone(turnId).finally(() => {
      cancelTimer();
      resolve();
    });
  });
}
