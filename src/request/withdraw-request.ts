import { endOnce } from "./end-request.ts";
import type { RequestDeps } from "./request-deps.ts";
import type { Request } from "./request.ts";

export interface WithdrawRequest {
  readonly requestId: string;
  /** Why; may be empty. */
  readonly reason: string;
  /** The name of the caller's token. */
  readonly actor: string;
}

/** Ends a request that a human does not want to answer. Throws DomainError `REQUEST_NOT_FOUND`, `ALREADY_RESOLVED`. */
export async function dismissRequest(deps: RequestDeps, withdraw: WithdrawRequest): Promise<Request> {
  return endWithout(deps, "dismissed", withdraw);
}

/** Takes a request back that nobody needs any more. Throws DomainError `REQUEST_NOT_FOUND`, `ALREADY_RESOLVED`. */
export async function cancelRequest(deps: RequestDeps, withdraw: WithdrawRequest): Promise<Request> {
  return endWithout(deps, "cancelled", withdraw);
}

async function endWithout(
  deps: RequestDeps,
  state: "dismissed" | "cancelled",
  { requestId, reason, actor }: WithdrawRequest,
): Promise<Request> {
  await deps.expiry.expire(requestId);
  return endOnce(deps, requestId, () => ({ state, answer: undefined, endReason: reason, actor }));
}
