import { auditEntry } from "../audit/audit-entry.ts";
import type { JsonObject } from "../message/message.ts";
import type { Statement } from "../store/database.ts";
import type { Answer, Request } from "./request.ts";

/** What the audit log says of a request that ends. What was asked and said stays in the conversation. */
export function auditOfEnd(
  { id, sessionId, kind }: Request,
  ending: Pick<Request, "state" | "answeredBy"> & {
    readonly answer: Answer | undefined;
    readonly endReason: string;
    readonly endTimeMs: number;
  },
): Statement {
  const { state, answer, answeredBy: actor, endReason, endTimeMs: timeMs } = ending;
  const detail: JsonObject = {
    kind,
    state,
    ...(answer !== undefined && { answer: answer.kind, ...choiceOf(answer) }),
    ...(endReason !== "" && { reason: endReason }),
  };
  return auditEntry({ action: "REQUEST_ENDED", timeMs, actor, sessionId, target: id, detail });
}

function choiceOf(answer: Answer): JsonObject {
  switch (answer.kind) {
    case "option":
      return { option: answer.optionId };
    case "text":
    case "form":
      return {};
    case "permission":
      return { decision: answer.decision, scope: answer.scope };
  }
}
