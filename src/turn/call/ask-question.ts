import { DomainError } from "../../errors.ts";
import type { CallDecision } from "../../permission/call-decision.ts";
import { checkForm } from "../../request/form.ts";
import { checkQuestion } from "../../request/check-question.ts";
import { MAX_OPEN, type Request } from "../../request/request.ts";
import { ClaimLost } from "../../store/database.ts";
import type { HumanQuestion } from "../../tool/tool.ts";
import { auditOfDecision } from "./call-audit.ts";
import { setCallAsking, type ToolCall } from "./tool-call-store.ts";
import { toolCallEnded, type CallResult } from "./call-end.ts";
import type { CallScope } from "./run-call.ts";
import { requestOfTurn, requestOpened } from "../turn-request.ts";

/**
 * Asks a human what a call wants to know: the question and that the call waits are stored in one step, before anybody is shown
 * it. The answer is the call's result. A question that cannot be asked is for the model to put right.
 */
export async function askQuestion(
  { deps, session, turn }: Omit<CallScope, "signal">,
  call: ToolCall,
  asked: HumanQuestion,
  decision: CallDecision | undefined,
): Promise<void> {
  const end = (text: string): Promise<unknown> => {
    const result: CallResult = { outcome: "failed", text };
    return deps.log.append(session.id, toolCallEnded(deps, session, turn.id, call.id, result));
  };
  const place = { sessionId: session.id, turnId: turn.id };
  const request = requestOfTurn(deps, session, turn, { ...asked, kind: "question", callId: call.id });
  const problem = await findProblem(request);
  if (problem !== undefined) return void (await end(problem));
  try {
    const opened = requestOpened(session, request);
    await deps.log.append(session.id, {
      turnId: turn.id,
      events: opened.events,
      changes: (seq, nowMs) => [
        ...opened.changes(seq, nowMs),
        setCallAsking(call, request.id, decision),
        ...(call.state === "approved" || decision === undefined ? [] : [auditOfDecision(place, call, decision, nowMs)]),
      ],
    });
  } catch (error) {
    if (!(error instanceof ClaimLost && error.claim === "room")) throw error;
    await end(`${MAX_OPEN.session} requests are open already; more would be read by nobody`);
  }
}

async function findProblem(request: Request): Promise<string | undefined> {
  try {
    checkQuestion(request);
    if (request.form !== undefined) await checkForm(request.form);
    return undefined;
  } catch (error) {
    if (error instanceof DomainError && error.code === "invalid") return error.message;
    throw error;
  }
}
