import type { Facts } from "../event/facts.ts";
import type { JsonObject } from "../message/message.ts";
import type { HumanQuestion } from "../tool/tool.ts";
import type { Request, RequestKind } from "../request/request.ts";
import { insertRequest } from "../request/request-store.ts";
import type { StoredSession } from "../session/session-store.ts";
import { setWaitingOn } from "../session/waiting-on.ts";
import type { TurnDeps } from "./turn-deps.ts";
import type { StoredTurn } from "./turn-store.ts";

/** What a turn asks for itself or for one of its calls. */
export interface AskedByTurn extends HumanQuestion {
  readonly kind: RequestKind;
  /** Empty = no call waits for it. */
  readonly callId: string;
  readonly context?: JsonObject;
}

/** A request of a turn, to be stored. It waits until it is answered, dismissed, or nobody needs it any more. */
export function requestOfTurn(
  { clock, newId }: Pick<TurnDeps, "clock" | "newId">,
  session: StoredSession,
  turn: Pick<StoredTurn, "id">,
  { kind, callId, title, body, options, form, context }: AskedByTurn,
): Request {
  return {
    id: newId("req"),
    sessionId: session.id,
    rootSessionId: session.rootSessionId,
    turnId: turn.id,
    callId,
    kind,
    permission: undefined,
    title,
    body,
    context,
    options,
    form,
    priority: "normal",
    tags: [],
    deadlineMs: undefined,
    defaultAnswer: undefined,
    state: "open",
    answer: undefined,
    answeredBy: "",
    claimedBy: "",
    createdBy: "",
    createTimeMs: clock.now(),
    endTimeMs: undefined,
    endReason: "",
  };
}

/** That it is asked. Its claim `room` is lost where as many are open as may be. */
export function requestOpened(session: StoredSession, request: Request): Facts {
  return {
    events: [{ kind: "request_opened", request }],
    changes: () => [...insertRequest(request, session.key), ...setWaitingOn(session.key, request.createTimeMs)],
  };
}
