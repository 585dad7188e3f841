import { DomainError } from "../errors.ts";
import { getSession } from "../session/session-store.ts";
import { ClaimLost } from "../store/database.ts";
import { listQueued } from "./queue-store.ts";
import { startQueued, type StartTurnDeps } from "./start-turn.ts";

/**
 * Starts a turn with whatever is next in the queue of an idle session. Nothing is left to do where somebody else started one
 * meanwhile, or where nobody waits any more.
 */
export async function startHead(deps: StartTurnDeps, sessionId: string): Promise<void> {
  for (;;) {
    const session = await getSession(deps.db, sessionId);
    const [head] = session.runningTurnId === "" ? await listQueued(deps.db, session.key, "follow_up") : [];
    if (head === undefined) return;
    try {
      await startQueued(deps, session, head);
      return;
    } catch (error) {
      if (!isOvertaken(error)) throw error;
    }
  }
}

/** The session or its queue is not as it was when we looked: look again. */
export function isOvertaken(error: unknown): boolean {
  return error instanceof ClaimLost || (error instanceof DomainError && error.reason === "SESSION_BUSY");
}
