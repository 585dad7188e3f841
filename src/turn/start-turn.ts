import { DomainError } from "../errors.ts";
import type { EventPayload } from "../event/event.ts";
import type { Idempotency } from "../idempotency/idempotency.ts";
import { MAX_MESSAGE_BYTES, type Message, type Part } from "../message/message.ts";
import { insertMessage } from "../message/message-store.ts";
import { modelInForce } from "../profile/profile.ts";
import { getSession, setRunning, type StoredSession } from "../session/session-store.ts";
import { ClaimLost, type Statement } from "../store/database.ts";
import { NO_USAGE } from "../usage/usage.ts";
import type { TurnDeps } from "./turn-deps.ts";
import type { TurnRunner } from "./turn-runner.ts";
import { getTurn, insertTurn, type StoredTurn } from "./turn-store.ts";

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
): Promise<StoredTurn> {
  const { sessionId, idempotencyKey: key, parts, model, expectedTurnId } = request;
  checkSize(parts);
  return deps.idempotency.once(
    { scope: `StartTurn ${sessionId}`, key, content: { parts, model, expectedTurnId } },
    {
      find: (turnId) => findStarted(deps, sessionId, turnId),
      make: (remember) => begin(deps, request, parts, remember),
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
        await checkRetryable(deps, session);
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

async function checkRetryable(deps: StartTurnDeps, session: StoredSession): Promise<void> {
  if (session.runningTurnId !== "") throw busy(session);
  const last = session.lastTurnId === "" ? undefined : await getTurn(deps.db, session.id, session.lastTurnId);
  if (last !== undefined && last.endReason !== "completed") return;
  const why = last === undefined ? "has no turn yet" : "completed its last turn";
  throw new DomainError("precondition", "NOTHING_TO_RETRY", `session ${session.id} ${why}; send a message instead`, {
    session_id: session.id,
  });
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
  const { model } = modelInForce(deps.profiles, { profile: session.profile, model: request.model || session.model });
  const draft = draftTurn(deps, session, request, model);
  const message = parts === undefined ? undefined : userMessage(deps, draft, parts);
  try {
    const { firstSeq } = await deps.log.append(session.id, {
      turnId: draft.id,
      actor: request.actor,
      events: (seq): EventPayload[] => [
        { kind: "turn_started", turn: { ...draft, firstSeq: seq } },
        ...(message === undefined ? [] : [{ kind: "message_completed", message } as const]),
      ],
      changes: (seq, nowMs) => [
        setRunning(session.id, draft.id, request.expectedTurnId, nowMs),
        insertTurn({ ...draft, firstSeq: seq }),
        ...(message === undefined ? [] : [insertMessage(session.key, message, seq + 1)]),
        ...remember(draft.id),
      ],
    });
    deps.runner.run(draft);
    return { ...draft, firstSeq };
  } catch (error) {
    if (!(error instanceof ClaimLost)) throw error;
    // Somebody was faster; the session says who.
    checkState(await getSession(deps.db, session.id), request.expectedTurnId);
    throw error;
  }
}

function checkSize(parts: readonly Part[]): void {
  const bytes = parts.reduce((sum, part) => sum + ("text" in part ? Buffer.byteLength(part.text) : 0), 0);
  if (bytes <= MAX_MESSAGE_BYTES) return;
  throw new DomainError(
    "invalid",
    "MESSAGE_TOO_LARGE",
    `parts: ${bytes} bytes of text; a message holds at most ${MAX_MESSAGE_BYTES}`,
    {
      bytes: String(bytes),
      max_bytes: String(MAX_MESSAGE_BYTES),
    },
  );
}

function checkState(session: StoredSession, expectedTurnId: string): void {
  if (session.runningTurnId !== "") throw busy(session);
  if (expectedTurnId === "" || session.lastTurnId === expectedTurnId) return;
  throw new DomainError(
    "precondition",
    "TURN_CHANGED",
    `expected_turn_id: the last turn of session ${session.id} is ${session.lastTurnId || "none"}; look at it and call again`,
    { session_id: session.id, turn_id: session.lastTurnId },
  );
}

function busy(session: StoredSession): DomainError {
  return new DomainError(
    "precondition",
    "SESSION_BUSY",
    `session ${session.id} runs turn ${session.runningTurnId}; wait for its end or cancel it`,
    { session_id: session.id, turn_id: session.runningTurnId },
  );
}

function draftTurn(deps: StartTurnDeps, session: StoredSession, request: TurnRequest, model: string): StoredTurn {
  return {
    id: deps.newId("turn"),
    sessionId: session.id,
    sessionKey: session.key,
    state: "running",
    endReason: undefined,
    error: undefined,
    model,
    modelOverride: request.model,
    actor: request.actor,
    steps: 0,
    usage: NO_USAGE,
    recoveries: 0,
    firstSeq: 0,
    createTimeMs: deps.clock.now(),
    endTimeMs: undefined,
  };
}

function userMessage(deps: StartTurnDeps, turn: StoredTurn, parts: readonly Part[]): Message {
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
