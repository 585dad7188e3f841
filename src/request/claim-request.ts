import { ClaimLost } from "../store/database.ts";
import type { RequestDeps } from "./request-deps.ts";
import { alreadyClaimed, alreadyResolved, type Request } from "./request.ts";
import { getRequest, setClaimedBy } from "./request-store.ts";

export interface ClaimRequest {
  readonly requestId: string;
  /** False: the caller does not mean to answer any more. */
  readonly isClaimed: boolean;
  /** Also where somebody else has claimed it. */
  readonly takesOver: boolean;
  /** The name of the caller's token. */
  readonly actor: string;
}

/**
 * Says who means to answer; keeps nobody from answering. Throws DomainError `REQUEST_NOT_FOUND`, `ALREADY_RESOLVED`,
 * `ALREADY_CLAIMED`.
 */
export async function claimRequest(
  deps: Pick<RequestDeps, "db">,
  { requestId, isClaimed, takesOver, actor }: ClaimRequest,
): Promise<Request> {
  const wanted = isClaimed ? actor : "";
  for (;;) {
    const request = await getRequest(deps.db, requestId);
    if (request.state !== "open") throw alreadyResolved(request);
    if (request.claimedBy === wanted) return request;
    if (request.claimedBy !== "" && request.claimedBy !== actor && !takesOver) throw alreadyClaimed(request);
    try {
      await deps.db.transact(setClaimedBy(request, wanted));
      return { ...request, claimedBy: wanted };
    } catch (error) {
      // Somebody was faster: look again.
      if (!(error instanceof ClaimLost)) throw error;
    }
  }
}
