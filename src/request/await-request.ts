import type { Database } from "../store/database.ts";
import type { RequestBells } from "./request-bells.ts";
import type { Request } from "./request.ts";
import { getRequest } from "./request-store.ts";

/** Waits for the end of a request, at most so long, and returns it, ended or not. Throws DomainError `REQUEST_NOT_FOUND`. */
export async function awaitRequest(
  { db, bells }: { readonly db: Database; readonly bells: RequestBells },
  { requestId, waitMs, signal }: { readonly requestId: string; readonly waitMs: number; readonly signal: AbortSignal },
): Promise<Request> {
  const looked = new AbortController();
  // Listening before it looks: what ends between the two is heard.
  const ended = bells.wait(requestId, waitMs, AbortSignal.any([signal, looked.signal]));
  try {
    const request = await getRequest(db, requestId);
    if (request.state !== "open") return request;
    return (await ended) ?? (await getRequest(db, requestId));
  } finally {
    ended.catch(() => undefined);
    looked.abort();
  }
}
