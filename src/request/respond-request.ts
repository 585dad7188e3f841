import { checkAnswer } from "./check-answer.ts";
import { checkAnswerSize } from "./check-question.ts";
import { endOnce } from "./end-request.ts";
import type { RequestDeps } from "./request-deps.ts";
import { useResolvePermission, type GivenAnswer, type Request } from "./request.ts";
import { getRequest } from "./request-store.ts";

export interface RespondRequest {
  readonly requestId: string;
  readonly idempotencyKey: string;
  readonly answer: GivenAnswer;
  /** The name of the caller's token. */
  readonly actor: string;
}

/**
 * Answers a request; the first answer wins, and the same key gets its outcome again. Throws DomainError `REQUEST_NOT_FOUND`,
 * `ALREADY_RESOLVED`, `INVALID_ANSWER`, `USE_RESOLVE_PERMISSION`, `INVALID_FIELD`, `IDEMPOTENCY_KEY_REUSED`.
 */
export async function respondRequest(
  deps: RequestDeps,
  { requestId, idempotencyKey: key, answer, actor }: RespondRequest,
): Promise<Request> {
  checkAnswerSize(answer);
  return deps.idempotency.once(
    { scope: `RespondRequest ${requestId}`, key, content: { answer } },
    {
      find: (id) => getRequest(deps.db, id),
      make: async (remember) => {
        // An answer after the deadline is too late, also where its timer is.
        await deps.expiry.expire(requestId);
        return endOnce(deps, requestId, async (request) => {
          if (request.kind === "permission") throw useResolvePermission(requestId);
          await checkAnswer(request, answer);
          return { state: "answered", answer, endReason: "", actor, also: remember(requestId) };
        });
      },
    },
  );
}
