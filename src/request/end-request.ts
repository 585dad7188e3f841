import type { Clock } from "../clock.ts";
import { DomainError } from "../errors.ts";
import type { EventLog } from "../event/event-log.ts";
import { joinFacts, NO_FACTS, type Facts } from "../event/facts.ts";
import type { NewId } from "../id.ts";
import { setWaitingOn } from "../session/waiting-on.ts";
import { findSession, type StoredSession } from "../session/session-store.ts";
import { ClaimLost, type Database, type Statement } from "../store/database.ts";
import { callAfter, turnGoesOn } from "../turn/request-end.ts";
import type { WakeTurn } from "../turn/turn-waker.ts";
import type { RequestBells } from "./request-bells.ts";
import { alreadyResolved, type Request } from "./request.ts";
import { endRequest, getRequest, type Ending, type StoredRequest } from "./request-store.ts";

export interface EndDeps {
  readonly db: Database;
  readonly log: EventLog;
  readonly clock: Clock;
  readonly bells: RequestBells;
  readonly newId: NewId;
  /** Of the turn that waits for a request. */
  readonly wake: WakeTurn;
}

/** How a request is to end; the rest of its ending is known where it does. */
export type Wish = Pick<Ending, "state" | "answer" | "endReason"> & {
  /** The name of the caller's token; empty = the engine. */
  readonly actor: string;
  /** Goes with it. */
  readonly also?: readonly Statement[];
  /** What it means for the call that waits for it; told the request as it ends. Absent: what follows from how it ended. */
  readonly forCall?: (session: StoredSession, ended: Request) => Facts;
};

/**
 * Ends a request in one transaction with the event that tells of it. Of many who end one at once, one does, and the others are
 * told who: `wish` is asked anew where the request was changed between our look and our write. Throws DomainError
 * `REQUEST_NOT_FOUND`, `ALREADY_RESOLVED`, and what `wish` throws.
 */
export async function endOnce(
  deps: EndDeps,
  requestId: string,
  wish: (request: StoredRequest) => Wish | Promise<Wish>,
): Promise<Request> {
  for (;;) {
    const request = await getRequest(deps.db, requestId);
    if (request.state !== "open") throw alreadyResolved(request);
    try {
      return await tryEnd(deps, request, await wish(request));
    } catch (error) {
      if (!isOvertaken(error)) throw error;
    }
  }
}

/** It was changed, or went with its session: look again. */
function isOvertaken(error: unknown): boolean {
  if (error instanceof ClaimLost) return error.claim === "request";
  return error instanceof DomainError && ["SESSION_NOT_FOUND", "SESSION_DELETED"].includes(error.reason);
}

async function tryEnd(deps: EndDeps, request: StoredRequest, wish: Wish): Promise<Request> {
  const { state, answer, endReason, actor, also = [] } = wish;
  const ending: Ending = { state, answer, endReason, answeredBy: actor, endTimeMs: deps.clock.now() };
  const ended: Request = { ...request, ...ending };
  const changes = [...endRequest(request, ending), ...also];
  const session = request.sessionId === "" ? undefined : await findSession(deps.db, request.sessionId);
  if (session === undefined) await deps.db.transact(changes, { essential: true });
  else {
    const { turnId } = request;
    const resolved: Facts = { events: [{ kind: "request_resolved", request: ended }], changes: () => changes };
    const forCall = wish.forCall?.(session, ended) ?? (await callAfter(deps, session, ended));
    const after = { ...NO_FACTS, changes: () => setWaitingOn(session.key, ending.endTimeMs) };
    const facts = joinFacts(resolved, forCall, turnGoesOn(session, turnId), after);
    await deps.log.append(session.id, { turnId, actor, essential: true, ...facts });
  }
  deps.bells.ring(ended);
  if (request.turnId !== "") deps.wake({ id: request.turnId, sessionId: request.sessionId });
  return ended;
}
