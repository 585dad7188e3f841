import type { Decision } from "../../permission/decision.ts";
import { wordsFor } from "../../permission/permission-words.ts";
import type { Request } from "../../request/request.ts";
import { insertRequest } from "../../request/request-store.ts";
import { setWaitingOn } from "../../session/waiting-on.ts";
import { ClaimLost } from "../../store/database.ts";
import { auditOfDecision } from "./call-audit.ts";
import { deniedResult } from "./call-results.ts";
import { toCallDecision } from "./judge-call.ts";
import { setCallWaiting, type ToolCall } from "./tool-call-store.ts";
import { toolCallEnded } from "./call-end.ts";
import type { CallScope } from "./run-call.ts";
import { requestOfTurn } from "../turn-request.ts";

/** The most of a diff that a human is shown, in bytes. */
const MAX_DIFF_BYTES = 256 * 1024;

/** Asks a human whether a call may run: the request and that the call waits are stored in one step, before anybody is shown it. */
export async function askPermission(
  { deps, session, turn }: Omit<CallScope, "signal">,
  call: ToolCall,
  decision: Decision,
  wholeDiff: string,
): Promise<void> {
  const { diff, isCut } = cutDiff(wholeDiff);
  const { id: callId, name: tool, arguments: args } = call;
  const { risk, reason, suggestedRules } = decision;
  const words = wordsFor({ tool, arguments: args, workspace: session.workspace, decision, isDiffCut: isCut });
  const question = { kind: "permission", callId, ...words, options: [] } as const;
  const request: Request = {
    ...requestOfTurn(deps, session, turn, question),
    permission: { tool, callId, arguments: args, diff, risk: risk.level, reason, suggestedRules },
  };
  const { createTimeMs } = request;
  try {
    await deps.log.append(session.id, {
      turnId: turn.id,
      events: [{ kind: "request_opened", request }],
      changes: () => [
        ...insertRequest(request, session.key),
        setCallWaiting(call, request.id, toCallDecision(decision)),
        auditOfDecision({ sessionId: session.id, turnId: turn.id }, call, toCallDecision(decision), createTimeMs),
        ...setWaitingOn(session.key, createTimeMs),
      ],
    });
  } catch (error) {
    if (!(error instanceof ClaimLost && error.claim === "room")) throw error;
    // More would be read by nobody; and what nobody was asked about does not run.
    const result = deniedResult("a human would have to be asked, and as many requests are open as may be");
    await deps.log.append(session.id, toolCallEnded(deps, session, turn.id, callId, result));
  }
}

function cutDiff(whole: string): { readonly diff: string; readonly isCut: boolean } {
  if (Buffer.byteLength(whole) <= MAX_DIFF_BYTES) return { diff: whole.toWellFormed(), isCut: false };
  const bytes = Buffer.from(whole).subarray(0, MAX_DIFF_BYTES);
  // Whole lines only, so that what is shown is what it seems to be.
  const end = bytes.lastIndexOf("\n") + 1;
  return {
    diff: bytes
      .subarray(0, end === 0 ? bytes.length : end)
      .toString("utf8")
      .replace(/\uFFFD$/, ""),
    isCut: true,
  };
}
