import type { Clock } from "../clock.ts";
import type { EventLog } from "../event/event-log.ts";
import { sessionNotFound } from "../event/session-logs.ts";
import type { RequestBells } from "../request/request-bells.ts";
import { cancelOfRemoved, listCancelledOfRemoved } from "../request/request-store.ts";
import { ClaimLost, type Database } from "../store/database.ts";
import type { Titles } from "../title/titles.ts";
import type { RemovedSessions } from "./removed-sessions.ts";
import { getSession, removeSession } from "./session-store.ts";

export interface DeleteSessionDeps {
  readonly db: Database;
  readonly log: EventLog;
  readonly clock: Clock;
  readonly removed: RemovedSessions;
  readonly titles: Pick<Titles, "drop">;
  readonly bells: Pick<RequestBells, "ring">;
  /** Cancels the session's turn and waits a bounded time for its end. */
  readonly stopTurn: (sessionId: string, turnId: string) => Promise<unknown>;
  /** Ends what its tools run in the background. */
  readonly endProcesses: (sessionId: string) => Promise<void>;
}

/**
 * Stops a session's turn, then takes it away at once, and cancels its open requests with it; its rows go in the background.
 * `actor` is the name of the caller's token. Throws DomainError `SESSION_NOT_FOUND`.
 */
export async function deleteSession(deps: DeleteSessionDeps, sessionId: string, actor: string): Promise<void> {
  const session = await getSession(deps.db, sessionId);
  if (session.runningTurnId !== "") await deps.stopTurn(sessionId, session.runningTurnId);
  await deps.endProcesses(sessionId);
  try {
    const nowMs = deps.clock.now();
    const statements = [...removeSession(session, nowMs), ...cancelOfRemoved(session.key, actor, nowMs)];
    await deps.db.transact(statements, { essential: true });
  } catch (error) {
    if (error instanceof ClaimLost) throw sessionNotFound(sessionId);
    throw error;
  }
  deps.titles.drop(sessionId);
  deps.log.remove(sessionId);
  deps.removed.sweep();
  for (const request of await listCancelledOfRemoved(deps.db, session.key)) deps.bells.ring(request);
}
