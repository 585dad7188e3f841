import type { Clock } from "../clock.ts";
import { ClaimLost, type Database, type Statement } from "../store/database.ts";
import { NEXT_REVISION, REVISION } from "../store/revision.ts";
import { sessionBusy } from "./session-busy.ts";
import { getSession, type StoredSession } from "./session-store.ts";

/** A session as it was read, and how to claim in a transaction that it still is so and runs no turn. */
export interface IdleSession {
  readonly session: StoredSession;
  /** Its `update_time` once `claim` is stored. */
  readonly updateTimeMs: number;
  readonly claim: readonly Statement[];
}

/**
 * Changes a session that must run no turn; `change` is called again where somebody else was faster. Throws DomainError
 * `SESSION_NOT_FOUND`, `SESSION_BUSY`, and what `change` throws.
 */
export async function whileIdle<T>(
  { db, clock }: { readonly db: Database; readonly clock: Clock },
  sessionId: string,
  change: (idle: IdleSession) => Promise<T>,
): Promise<T> {
  for (;;) {
    const session = await getSession(db, sessionId);
    if (session.runningTurnId !== "") throw sessionBusy(session);
    const updateTimeMs = Math.max(clock.now(), session.updateTimeMs + 1);
    try {
      return await change({ session, updateTimeMs, claim: claimIdle(session, updateTimeMs) });
    } catch (error) {
      // A turn began, or the session or its queue was changed, between our look and our write: look again.
      if (!(error instanceof ClaimLost && ["idle", "queued"].includes(error.claim))) throw error;
    }
  }
}

function claimIdle({ id, updateTimeMs: before }: StoredSession, updateTimeMs: number): readonly Statement[] {
  return [
    NEXT_REVISION,
    {
      sql: `UPDATE sessions SET update_time_ms = ?, revision = ${REVISION}
        WHERE id = ? AND running_turn_id = '' AND update_time_ms = ?`,
      params: [updateTimeMs, id, before],
      claim: "idle",
    },
  ];
}
