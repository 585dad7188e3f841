import { joinFacts, type Facts } from "../event/facts.ts";
import { endRequest, listOpenOfSession } from "../request/request-store.ts";
import type { Request } from "../request/request.ts";
import type { StoredSession } from "../session/session-store.ts";
import { setWaitingOn } from "../session/waiting-on.ts";
import type { TurnDeps } from "./turn-deps.ts";

/** What a turn asked that nobody needs an answer to any more. */
export interface ClosedRequests extends Facts {
  readonly ended: readonly Request[];
}

/** Ends the open requests of a turn; their claims are lost where somebody answers one in the same moment. */
export async function closeRequests(
  deps: Pick<TurnDeps, "db" | "clock">,
  session: StoredSession,
  turnId: string,
  endReason: string,
): Promise<ClosedRequests> {
  const open = (await listOpenOfSession(deps.db, session.key)).filter((request) => request.turnId === turnId);
  if (open.length === 0) return { ended: [], events: [], changes: () => [] };
  const endTimeMs = deps.clock.now();
  const ending = { state: "cancelled", answer: undefined, answeredBy: "", endReason, endTimeMs } as const;
  const closed = open.map((request) => ({ request, ended: { ...request, ...ending } }));
  const facts = closed.map(({ request, ended }): Facts => ({
    events: [{ kind: "request_resolved", request: ended }],
    changes: () => endRequest(request, ending),
  }));
  const after: Facts = { events: [], changes: () => setWaitingOn(session.key, endTimeMs) };
  return { ended: closed.map(({ ended }) => ended), ...joinFacts(...facts, after) };
}
