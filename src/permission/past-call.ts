import { DomainError } from "../errors.ts";
import type { StoredSession } from "../session/session-store.ts";
import type { Database } from "../store/database.ts";
import { findCall, type ToolCall } from "../turn/call/tool-call-store.ts";
import type { CallDecision } from "./call-decision.ts";

/** A call that was made, with what was decided on it. Throws DomainError `CALL_NOT_FOUND`, `NOT_DECIDED`. */
export async function getDecidedCall(
  db: Database,
  session: StoredSession,
  callId: string,
): Promise<ToolCall & { readonly decision: CallDecision }> {
  const call = await findCall(db, session.key, callId);
  const metadata = { session_id: session.id, call_id: callId };
  if (call === undefined) {
    throw new DomainError("not_found", "CALL_NOT_FOUND", `session ${session.id} has no call ${callId}`, metadata);
  }
  const { decision } = call;
  if (decision !== undefined) return { ...call, decision };
  const message = `call ${callId} came to no decision: it is not decided yet, could not be made, or its turn ended before`;
  throw new DomainError("precondition", "NOT_DECIDED", message, metadata);
}
