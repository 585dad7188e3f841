import { joinFacts, type Facts } from "../../event/facts.ts";
import type { StoredSession } from "../../session/session-store.ts";
import { UNKNOWN_RESULT, withPrinted } from "./call-results.ts";
import { auditOfEnd } from "./call-audit.ts";
import { closeRequests, type ClosedRequests } from "../close-requests.ts";
import type { TurnEnd } from "../turn.ts";
import { isOpen, listCalls, type ToolCall } from "./tool-call-store.ts";
import { toolCallEnded, type CallResult } from "./call-end.ts";
import type { TurnDeps } from "../turn-deps.ts";

/**
 * Ends what a turn asked, and closes every open call of it with a result that says why, with what the call has printed; absent = as
 * the log has it in memory.
 */
export async function closeCalls(
  deps: TurnDeps,
  session: StoredSession,
  turnId: string,
  end: TurnEnd,
  wasKilled: boolean,
  printed?: (callId: string) => string,
): Promise<ClosedRequests> {
  const why = end.reason === "cancelled" ? "cancelled" : "ended";
  const requests = await closeRequests(deps, session, turnId, `its turn was ${why}`);
  const printedBy = printed ?? deps.log.look(session.id)?.printed ?? (() => "");
  const open = (await listCalls(deps.db, turnId)).filter(isOpen);
  const calls = open.map((call): Facts => {
    const result = withPrinted(closedResult(call, end, wasKilled), printedBy(call.id));
    const facts = toolCallEnded(deps, session, turnId, call.id, result);
    if (call.state !== "started") return facts;
    return joinFacts(facts, auditOfEnd({ sessionId: session.id, turnId }, call, result.outcome));
  });
  return { ended: requests.ended, ...joinFacts(requests, ...calls) };
}

function closedResult(call: ToolCall, end: TurnEnd, wasKilled: boolean): CallResult {
  if (call.state === "started" && (wasKilled || end.reason === "interrupted")) return UNKNOWN_RESULT;
  const why = end.reason === "cancelled" ? "cancelled" : "ended";
  const ran = call.state === "started" ? "before it was over" : "before it began";
  return { outcome: "cancelled", text: `The turn was ${why} ${ran}.` };
}
