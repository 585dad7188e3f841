import { joinFacts, NO_FACTS, type Facts } from "../event/facts.ts";
import type { NewId } from "../id.ts";
import type { CallDecision } from "../permission/call-decision.ts";
import type { Request } from "../request/request.ts";
import { setTurnState, type StoredSession } from "../session/session-store.ts";
import type { Database } from "../store/database.ts";
import { auditOfDecision } from "./call/call-audit.ts";
import { deniedResult, resultOfQuestion } from "./call/call-results.ts";
import { findCall, setCallDecision } from "./call/tool-call-store.ts";
import { toolCallEnded } from "./call/call-end.ts";
import { setTurnGoingOn } from "./turn-store.ts";

/** What the end of a request means for the turn that waits for it: it goes on. */
export function turnGoesOn(session: Pick<StoredSession, "id">, turnId: string): Facts {
  if (turnId === "") return NO_FACTS;
  return {
    events: [],
    changes: (_seq, nowMs) => [setTurnGoingOn(turnId), ...setTurnState(session.id, turnId, "running", nowMs)],
  };
}

/**
 * What becomes of the call that waits for a request. The end of a question is its result, whichever it is; where leave was asked
 * for and not given, nobody let it run.
 */
export async function callAfter(
  deps: { readonly db: Database; readonly newId: NewId },
  session: StoredSession,
  ended: Request,
): Promise<Facts> {
  if (ended.kind === "question" && ended.callId !== "") {
    return toolCallEnded(deps, session, ended.turnId, ended.callId, resultOfQuestion(ended));
  }
  const call = ended.kind === "permission" ? await findCall(deps.db, session.key, ended.callId) : undefined;
  if (call?.decision === undefined) return NO_FACTS;
  return callDenied(deps, session, ended, { ...call.decision, reason: whyUnanswered(ended) });
}

/** A human, or nobody, let a call run. The decision says why. */
export function callDenied(
  deps: { readonly newId: NewId },
  session: StoredSession,
  { callId, turnId, answeredBy, endTimeMs, permission }: Request,
  decision: CallDecision,
): Facts {
  const decided: CallDecision = {
    ...decision,
    verdict: "deny",
    decidedBy: answeredBy,
    ...(endTimeMs !== undefined && { decideTimeMs: endTimeMs }),
  };
  const { tool: name = "", arguments: args = {} } = permission ?? {};
  const place = { sessionId: session.id, turnId };
  const noted: Facts = {
    events: [],
    changes: (_seq, nowMs) => [
      setCallDecision(callId, decided),
      auditOfDecision(place, { id: callId, name, arguments: args }, decided, nowMs),
    ],
  };
  return joinFacts(noted, toolCallEnded(deps, session, turnId, callId, deniedResult(decision.reason)));
}

function whyUnanswered({ state, endReason }: Request): string {
  const said = endReason === "" ? "" : `: ${endReason}`;
  if (state === "expired") return "nobody answered in time";
  return state === "dismissed" ? `a human did not want to decide${said}` : `the request for it was taken back${said}`;
}
