import { auditEntry } from "../audit/audit-entry.ts";
import type { Clock } from "../clock.ts";
import { DomainError } from "../errors.ts";
import type { EventLog } from "../event/event-log.ts";
import { sessionNotFound } from "../event/session-logs.ts";
import type { RequestBells } from "../request/request-bells.ts";
import { cancelOfRemoved, listCancelledOfRemoved } from "../request/request-store.ts";
import { ClaimLost, type Database } from "../store/database.ts";
import type { Titles } from "../title/titles.ts";
import type { RemovedSessions } from "./removed-sessions.ts";
import { findSession, getSession, listChildren, removeSession } from "./session-store.ts";
import { setWaitingOn } from "./waiting-on.ts";

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
 * Stops a session's turn, takes away what its agents started, then it itself at once, and cancels its open requests with it;
 * its rows go in the background.
 * `actor` is the name of the caller's token. Throws DomainError `SESSION_NOT_FOUND`.
 */
export async function deleteSession(deps: DeleteSessionDeps, sessionId: string, actor: string): Promise<void> {
  const session = await getSession(deps.db, sessionId);
  if (session.runningTurnId !== "") await deps.stopTurn(sessionId, session.runningTurnId);
  await deps.endProcesses(sessionId);
  try {
    await deleteChildren(deps, sessionId, actor);
    const above = session.parent && (await findSession(deps.db, session.parent.sessionId));
    const nowMs = deps.clock.now();
    const statements = [
      ...removeSession(session, nowMs),
      ...cancelOfRemoved(session.key, actor, nowMs),
      ...(above === undefined ? [] : setWaitingOn(above.key, nowMs)),
      auditEntry({ action: "SESSION_DELETED", timeMs: nowMs, actor, sessionId }),
    ];
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

/** Again, until there are none: one that was being started may come meanwhile. */
async function deleteChildren(deps: DeleteSessionDeps, sessionId: string, actor: string): Promise<void> {
  for (;;) {
    const children = await listChildren(deps.db, sessionId);
    if (children.length === 0) return;
    await Promise.all(
      children.map(({ id }) =>
        deleteSession(deps, id, actor).catch((error: unknown) => {
          // Somebody else removed it.
          if (!(error instanceof DomainError && error.reason === "SESSION_NOT_FOUND")) throw error;
        }),
      ),
    );
  }
}
