import type { EventPayload } from "../event/event.ts";
import type { Message, Part } from "../message/message.ts";
import { insertMessage } from "../message/message-store.ts";
import { modelInForce } from "../profile/profile.ts";
import type { StoredSession } from "../session/session-store.ts";
import type { Statement } from "../store/database.ts";
import { NO_USAGE } from "../usage/usage.ts";
import type { TurnDeps } from "./turn-deps.ts";
import { insertTurn, NOTHING_GRANTED, type StoredTurn } from "./turn-store.ts";

/** How a turn begins. */
export interface TurnOpening {
  /** What the user says; undefined for a retry. */
  readonly parts: readonly Part[] | undefined;
  /** A model for this turn only; empty = the session's. */
  readonly model: string;
  readonly actor: string;
  /** The queued message it begins with; empty = none. */
  readonly queuedId: string;
}

/** A turn that is about to begin, with the facts of its beginning. */
export interface OpenedTurn {
  readonly turn: StoredTurn;
  events(firstSeq: number): EventPayload[];
  /** All but making it the session's running turn. */
  changes(firstSeq: number): Statement[];
}

/** Throws DomainError `PROFILE_NOT_FOUND`. */
export function openTurn(deps: TurnDeps, session: StoredSession, opening: TurnOpening): OpenedTurn {
  const named = { profile: session.profile, model: opening.model || session.model };
  const turn: StoredTurn = {
    id: deps.newId("turn"),
    sessionId: session.id,
    sessionKey: session.key,
    state: "running",
    endReason: undefined,
    error: undefined,
    model: modelInForce(deps.profiles, named).model,
    modelOverride: opening.model,
    actor: opening.actor,
    queuedId: opening.queuedId,
    steps: 0,
    usage: NO_USAGE,
    recoveries: 0,
    workedMs: 0,
    granted: NOTHING_GRANTED,
    limitRequestId: "",
    isAnswered: false,
    firstSeq: 0,
    createTimeMs: deps.clock.now(),
    endTimeMs: undefined,
  };
  const message = opening.parts === undefined ? undefined : userMessage(deps, turn, opening.parts);
  return {
    turn,
    events: (firstSeq) => [
      { kind: "turn_started", turn: { ...turn, firstSeq } },
      ...(message === undefined ? [] : [{ kind: "message_completed", message } as const]),
      // The first step is part of the beginning: a commit of its own would stand before the first token.
      { kind: "step_started", step: 1, model: turn.model },
    ],
    changes: (firstSeq) => [
      insertTurn({ ...turn, firstSeq, steps: 1 }),
      ...(message === undefined ? [] : [insertMessage(session.key, message, firstSeq + 1)]),
    ],
  };
}

/** What a user says in a turn, as a message. */
export function userMessage(
  deps: Pick<TurnDeps, "newId">,
  turn: Pick<StoredTurn, "id" | "sessionId" | "createTimeMs">,
  parts: readonly Part[],
): Message {
  return {
    id: deps.newId("msg"),
    sessionId: turn.sessionId,
    turnId: turn.id,
    role: "user",
    status: "complete",
    parts,
    model: "",
    usage: undefined,
    createTimeMs: turn.createTimeMs,
  };
}
