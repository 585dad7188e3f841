import { DomainError } from "../errors.ts";
import type { EventPayload } from "../event/event.ts";
import type { Idempotency } from "../idempotency/idempotency.ts";
import type { Part } from "../message/message.ts";
import { checkSize } from "../message/message-size.ts";
import { sessionBusy } from "../session/session-busy.ts";
import { getSession, setRunning, type StoredSession } from "../session/session-store.ts";
import { ClaimLost, type Statement } from "../store/database.ts";
import { openTurn, type OpenedTurn } from "./open-turn.ts";
import { queueLeft } from "./queue/queue-events.ts";
import { checkRetryable } from "./retryable.ts";
import { deleteQueued, type StoredQueued } from "./queue/queue-store.ts";
import type { TurnDeps } from "./turn-deps.ts";
import type { TurnRunner } from "./turn-runner.ts";
import { getTurn, type StoredTurn } from "./turn-store.ts";

export interface StartTurnDeps extends TurnDeps {
  readonly idempotency: Idempotency;
  readonly runner: TurnRunner;
  /** Throws DomainError `ENGINE_STOPPING` once the engine takes no new work. */
  readonly checkRunning: () => void;
}

export interface TurnRequest {
  readonly sessionId: string;
  readonly idempotencyKey: string;
  /** A model for this turn only; empty = the session's. */
  readonly model: string;
  /** The last turn as the caller knows it; empty = not checked. */
  readonly expectedTurnId: string;
  /** The name of the caller's token. */
  readonly actor: string;
}

/**
 * Starts a turn with a user message; its runner goes on by itself. Throws DomainError `SESSION_NOT_FOUND`, `SESSION_BUSY`,
 * `TURN_CHANGED`, `MESSAGE_TOO_LARGE`, `IDEMPOTENCY_KEY_REUSED`, `ENGINE_STOPPING`.
 */
export async function startTurn(
  deps: StartTurnDeps,
  request: TurnRequest & { readonly parts: readonly Part[] },
  alsoRemember: (turnId: string) => readonly Statement[] = () => [],
): Promise<StoredTurn> {
  const { sessionId, idempotencyKey: key, parts, model, expectedTurnId } = request;
  checkSize(parts);
  return deps.idempotency.once(
    { scope: `StartTurn ${sessionId}`, key, content: { parts, model, expectedTurnId } },
    {
      find: (turnId) => findStarted(deps, sessionId, turnId),
      make: (remember) => begin(deps, request, parts, (id) => [...remember(id), ...alsoRemember(id)]),
    },
  );
}

/** Starts a turn that goes on from where the last one stopped. Throws as `startTurn` does, and `NOTHING_TO_RETRY`. */
export async function retryTurn(deps: StartTurnDeps, request: TurnRequest): Promise<StoredTurn> {
  const { sessionId, idempotencyKey: key, model, expectedTurnId } = request;
  return deps.idempotency.once(
    { scope: `RetryTurn ${sessionId}`, key, content: { model, expectedTurnId } },
    {
      find: (turnId) => findStarted(deps, sessionId, turnId),
      make: async (remember) => {
        const session = await getSession(deps.db, sessionId);
        await checkRetryable(deps.db, session);
        return begin(deps, { ...request, expectedTurnId: expectedTurnId || session.lastTurnId }, undefined, remember);
      },
    },
  );
}

/** The turn that a key started. Its session may be gone, and its rows not yet. */
async function findStarted({ db }: StartTurnDeps, sessionId: string, turnId: string): Promise<StoredTurn> {
  await getSession(db, sessionId);
  return getTurn(db, sessionId, turnId);
}

async function begin(
  deps: StartTurnDeps,
  request: TurnRequest,
  parts: readonly Part[] | undefined,
  remember: (turnId: string) => readonly Statement[],
): Promise<StoredTurn> {
  deps.checkRunning();
  const session = await getSession(deps.db, request.sessionId);
  checkState(session, request.expectedTurnId);
  const { model, actor, expectedTurnId } = request;
  const opened = openTurn(deps, session, { parts, model, actor, queuedId: "" });
  return run(deps, session, opened, { expectedTurnId, changes: () => remember(opened.turn.id) });
}

/** What joins the end of a queue in the moment in which its head starts. */
export interface Joining {
  readonly actor: string;
  readonly events: readonly EventPayload[];
  /** Told the turn that starts. */
  changes(turnId: string): readonly Statement[];
}

/**
 * Starts a turn with the queued message that is next on an idle session, and lets another one join. Throws `SESSION_BUSY`, and
 * `ClaimLost` where the head was removed or the other has no room.
 */
export async function startQueued(
  deps: StartTurnDeps,
  session: StoredSession,
  queued: StoredQueued,
  joining: Joining,
): Promise<StoredTurn> {
  const { parts, actor, id } = queued;
  const opened = openTurn(deps, session, { parts, model: "", actor, queuedId: id });
  return run(deps, session, opened, {
    joining,
    leaving: [queueLeft(id)],
    // The head first: it makes room.
    changes: () => [deleteQueued(id), ...joining.changes(opened.turn.id)],
  });
}

/** What is stored with the beginning of a turn. */
interface Besides {
  /** The last turn as the caller knows it; absent = not checked. */
  readonly expectedTurnId?: string;
  readonly joining?: Joining;
  readonly leaving?: readonly EventPayload[];
  changes(): readonly Statement[];
}

/** Stores the beginning of a turn and lets it run. */
async function run(
  deps: StartTurnDeps,
  session: StoredSession,
  { turn, events, changes }: OpenedTurn,
  { expectedTurnId = "", joining, leaving = [], changes: moreChanges }: Besides,
): Promise<StoredTurn> {
  const before = joining?.events ?? [];
  try {
    const { firstSeq } = await deps.log.append(session.id, {
      actor: joining?.actor ?? "",
      events: before,
      next: { turnId: turn.id, actor: turn.actor, events: (seq) => [...events(seq), ...leaving] },
      changes: (seq, nowMs) => [
        ...setRunning(session.id, turn.id, expectedTurnId, nowMs),
        ...changes(seq + before.length),
        ...moreChanges(),
      ],
    });
    const started = { ...turn, firstSeq: firstSeq + before.length };
    deps.runner.runNew(started, session);
    return started;
  } catch (error) {
    if (!(error instanceof ClaimLost)) throw error;
    // Somebody was faster; the session says who.
    checkState(await getSession(deps.db, session.id), expectedTurnId);
    throw error;
  }
}

function checkState(session: StoredSession, expectedTurnId: string): void {
  if (session.runningTurnId !== "") throw sessionBusy(session);
  if (expectedTurnId === "" || session.lastTurnId === expectedTurnId) return;
  throw new DomainError(
    "precondition",
    "TURN_CHANGED",
    `expected_turn_id: the last turn of session ${session.id} is ${session.lastTurnId || "none"}; look at it and call again`,
    { session_id: session.id, turn_id: session.lastTurnId },
  );
}
