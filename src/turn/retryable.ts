import { DomainError } from "../errors.ts";
import { findLastComplete } from "../message/message-store.ts";
import { sessionBusy } from "../session/session-busy.ts";
import type { StoredSession } from "../session/session-store.ts";
import type { Database } from "../store/database.ts";
import { isFinalAnswer } from "./next-step.ts";
import { getTurn } from "./turn-store.ts";

/**
 * A turn that did not complete can be retried, and so can one whose answer was taken away, or what was said without a turn.
 * Throws DomainError `SESSION_BUSY`, `NOTHING_TO_RETRY`.
 */
export async function checkRetryable(db: Database, session: StoredSession): Promise<void> {
  if (session.runningTurnId !== "") throw sessionBusy(session);
  const last = session.lastTurnId === "" ? undefined : await getTurn(db, session.id, session.lastTurnId);
  if (last !== undefined && last.endReason !== "completed") return;
  const end = await findLastComplete(db, session.key);
  if (end !== undefined && !isFinalAnswer(end)) return;
  const why = end === undefined ? "has no messages to answer" : "has the answer to its last message";
  throw new DomainError("precondition", "NOTHING_TO_RETRY", `session ${session.id} ${why}; send a message instead`, {
    session_id: session.id,
  });
}
