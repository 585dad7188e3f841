import { DomainError } from "../errors.ts";
import type { Part } from "../message/message.ts";
import { checkSize } from "../message/message-size.ts";
import { getSession, type StoredSession } from "../session/session-store.ts";
import { ClaimLost, type Statement } from "../store/database.ts";
import { isOvertaken, startHead } from "./start-head.ts";
import { startTurn, type StartTurnDeps } from "./start-turn.ts";
import { queueJoined, queueLeft } from "./queue-events.ts";
import { countQueued, deleteQueued, findQueued, insertQueued, listQueued, type StoredQueued } from "./queue-store.ts";
import type { Framing, QueuedKind, QueuedMessage } from "./queued-message.ts";
import { findTurn, findTurnOfQueued, getTurn, type StoredTurn } from "./turn-store.ts";

/** How many may wait; more would be forgotten by who sent them. Source: api.md, "Turns". */
const CAPACITY: Readonly<Record<QueuedKind, number>> = { steer: 5, follow_up: 20 };

/** When a full queue is worth another try. */
const RETRY_AFTER_MS = 1000;

interface Said {
  readonly sessionId: string;
  readonly idempotencyKey: string;
  readonly parts: readonly Part[];
  /** The name of the caller's token. */
  readonly actor: string;
}

/** Where a queued message is: 1 is the next; 0 = taken up already. */
export interface Queued {
  readonly id: string;
  readonly position: number;
  readonly duplicate: boolean;
}

/**
 * Queues a message for the running turn, to be taken up before its next model call; a replacement stops what the turn does
 * first. Throws DomainError `SESSION_NOT_FOUND`, `NO_TURN_RUNNING`, `TURN_CHANGED`, `QUEUE_FULL`, `MESSAGE_TOO_LARGE`,
 * `IDEMPOTENCY_KEY_REUSED`.
 */
export async function steer(
  deps: StartTurnDeps,
  request: Said & { readonly framing: Framing; readonly expectedTurnId: string },
): Promise<Queued> {
  const { sessionId, idempotencyKey: key, parts, framing, expectedTurnId } = request;
  checkSize(parts);
  return deps.idempotency.once(
    { scope: `Steer ${sessionId}`, key, content: { parts, framing, expectedTurnId } },
    {
      find: (id) => placeOf(deps, sessionId, id, true),
      make: async (remember) => {
        for (;;) {
          const session = await getSession(deps.db, sessionId);
          const turnId = await checkSteerable(deps, session, expectedTurnId);
          try {
            const id = await enqueue(deps, session, { ...request, kind: "steer", framing }, turnId, remember);
            if (framing === "replacement") deps.runner.interrupt(turnId);
            return await placeOf(deps, sessionId, id, false);
          } catch (error) {
            // The turn ended between our look and our write; another one may run.
            if (!(error instanceof ClaimLost)) throw error;
          }
        }
      },
    },
  );
}

/** What became of a follow-up: the turn it started, or its place in the queue. */
export interface FollowedUp {
  readonly turn: StoredTurn | undefined;
  /** Empty where it never waited. */
  readonly queuedId: string;
  /** 1 is the next; 0 where it was started. */
  readonly position: number;
  readonly duplicate: boolean;
}

/**
 * Says something after the running turn, as a turn of its own; at once on an idle session. Where others wait on an idle
 * session, it joins their end and the first of them starts. Throws DomainError `SESSION_NOT_FOUND`, `QUEUE_FULL`,
 * `MESSAGE_TOO_LARGE`, `IDEMPOTENCY_KEY_REUSED`, `ENGINE_STOPPING`.
 */
export async function followUp(deps: StartTurnDeps, request: Said): Promise<FollowedUp> {
  const { sessionId, idempotencyKey: key, parts } = request;
  checkSize(parts);
  return deps.idempotency.once(
    { scope: `FollowUp ${sessionId}`, key, content: { parts } },
    {
      find: (id) => findFollowedUp(deps, sessionId, id, true),
      make: async (remember) => {
        for (;;) {
          try {
            return await followUpOnce(deps, request, remember);
          } catch (error) {
            // The session became idle or busy between our look and our write.
            if (!isOvertaken(error)) throw error;
          }
        }
      },
    },
  );
}

async function followUpOnce(
  deps: StartTurnDeps,
  request: Said,
  remember: (id: string) => readonly Statement[],
): Promise<FollowedUp> {
  deps.checkRunning();
  const session = await getSession(deps.db, request.sessionId);
  const isIdle = session.runningTurnId === "";
  const [head] = isIdle ? await listQueued(deps.db, session.key, "follow_up") : [];
  if (isIdle && head === undefined) {
    const turn = await startTurn(deps, { ...request, idempotencyKey: "", model: "", expectedTurnId: "" }, remember);
    return { turn, queuedId: "", position: 0, duplicate: false };
  }
  const said = { ...request, kind: "follow_up", framing: "plain" } as const;
  const id = await enqueue(deps, session, said, session.runningTurnId, remember);
  // It is queued now: whatever becomes of the head, it must not be queued again.
  if (head !== undefined) await startHead(deps, request.sessionId);
  return findFollowedUp(deps, request.sessionId, id, false);
}

/** What became of a follow-up that had this id, as a turn or as a queued message. */
async function findFollowedUp(
  deps: StartTurnDeps,
  sessionId: string,
  id: string,
  duplicate: boolean,
): Promise<FollowedUp> {
  const { key } = await getSession(deps.db, sessionId);
  const started = await findTurn(deps.db, sessionId, id);
  if (started !== undefined) return { turn: started, queuedId: "", position: 0, duplicate };
  const { position } = await placeOf(deps, sessionId, id, duplicate);
  return { turn: await findTurnOfQueued(deps.db, key, id), queuedId: id, position, duplicate };
}

/** Takes a message out before it is taken up. Throws DomainError `SESSION_NOT_FOUND`, `QUEUED_NOT_FOUND`. */
export async function removeQueued(
  deps: StartTurnDeps,
  request: { readonly sessionId: string; readonly queuedId: string; readonly actor: string },
): Promise<void> {
  const { sessionId, queuedId, actor } = request;
  const session = await getSession(deps.db, sessionId);
  const notFound = new DomainError(
    "not_found",
    "QUEUED_NOT_FOUND",
    `session ${sessionId} has no queued message ${queuedId}; it may have been taken up`,
    {
      session_id: sessionId,
      queued_id: queuedId,
    },
  );
  if ((await findQueued(deps.db, session.key, queuedId)) === undefined) throw notFound;
  try {
    await deps.log.append(sessionId, {
      actor,
      events: [queueLeft(queuedId)],
      changes: () => [deleteQueued(queuedId)],
    });
  } catch (error) {
    throw error instanceof ClaimLost ? notFound : error;
  }
}

async function checkSteerable(deps: StartTurnDeps, session: StoredSession, expectedTurnId: string): Promise<string> {
  const turnId = session.runningTurnId;
  const turn = turnId === "" ? undefined : await getTurn(deps.db, session.id, turnId);
  if (turn?.state !== "running") {
    throw new DomainError(
      "precondition",
      "NO_TURN_RUNNING",
      `session ${session.id} runs no turn to steer; send a message or a follow-up`,
      {
        session_id: session.id,
      },
    );
  }
  if (expectedTurnId === "" || expectedTurnId === turnId) return turnId;
  throw new DomainError("precondition", "TURN_CHANGED", `expected_turn_id: session ${session.id} runs turn ${turnId}`, {
    session_id: session.id,
    turn_id: turnId,
  });
}

async function enqueue(
  deps: StartTurnDeps,
  session: StoredSession,
  said: Said & { readonly kind: QueuedKind; readonly framing: Framing },
  whileTurn: string,
  remember: (id: string) => readonly Statement[],
): Promise<string> {
  const { kind, framing, parts, actor } = said;
  const message: QueuedMessage = {
    id: deps.newId("queued"),
    sessionId: session.id,
    kind,
    framing,
    parts,
    actor,
    createTimeMs: deps.clock.now(),
  };
  try {
    await deps.log.append(session.id, {
      turnId: whileTurn,
      actor,
      events: [queueJoined(message)],
      changes: () => [insertQueued(session, message, CAPACITY[kind], whileTurn), ...remember(message.id)],
    });
    return message.id;
  } catch (error) {
    if (error instanceof ClaimLost) await checkRoom(deps, session, kind);
    throw error;
  }
}

async function checkRoom(deps: StartTurnDeps, session: StoredSession, kind: QueuedKind): Promise<void> {
  if ((await countQueued(deps.db, session.key, kind)) < CAPACITY[kind]) return;
  throw new DomainError(
    "exhausted",
    "QUEUE_FULL",
    `${CAPACITY[kind]} messages wait in session ${session.id}; try again later or remove one`,
    { session_id: session.id, retry_after_ms: String(RETRY_AFTER_MS) },
  );
}

async function placeOf(deps: StartTurnDeps, sessionId: string, id: string, duplicate: boolean): Promise<Queued> {
  const session = await getSession(deps.db, sessionId);
  const queued = await findQueued(deps.db, session.key, id);
  if (queued === undefined) return { id, position: 0, duplicate };
  const all: readonly StoredQueued[] = await listQueued(deps.db, session.key, queued.kind);
  return { id, position: all.findIndex((other) => other.id === id) + 1, duplicate };
}
