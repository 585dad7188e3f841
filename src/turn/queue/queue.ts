import { DomainError } from "../../errors.ts";
import type { Part } from "../../message/message.ts";
import { checkSize } from "../../message/message-size.ts";
import { getSession, type StoredSession } from "../../session/session-store.ts";
import { ClaimLost, type Statement } from "../../store/database.ts";
import { startQueued, startTurn, type StartTurnDeps } from "../start-turn.ts";
import { queueJoined, queueLeft } from "./queue-events.ts";
import { countQueued, deleteQueued, findQueued, insertQueued, listQueued, type StoredQueued } from "./queue-store.ts";
import type { Framing, QueuedKind, QueuedMessage } from "./queued-message.ts";
import { findTurn, findTurnOfQueued, type StoredTurn } from "../turn-store.ts";

/** How many may wait; more would be forgotten by who sent them. Source: api.md, "Turns". */
const CAPACITY: Readonly<Record<QueuedKind, number>> = { steer: 5, follow_up: 20 };

/** When a full queue is worth another try. */
const RETRY_AFTER_MS = 1000;

export interface Said {
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
  const id =
    head === undefined
      ? await enqueue(deps, session, said, session.runningTurnId, remember)
      : await joinAndStart(deps, session, head, said, remember);
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

type Queueing = Said & { readonly kind: QueuedKind; readonly framing: Framing };

/** Puts a message at the end of its queue while a turn runs, or none. Throws DomainError `QUEUE_FULL`, and `ClaimLost` where another one runs. */
export async function enqueue(
  deps: StartTurnDeps,
  session: StoredSession,
  said: Queueing,
  whileTurn: string,
  remember: (id: string) => readonly Statement[],
): Promise<string> {
  const message = toQueued(deps, session, said);
  const { kind, actor } = said;
  try {
    await deps.log.append(session.id, {
      turnId: whileTurn,
      actor,
      events: [queueJoined(message)],
      changes: () => [insertQueued(session, message, CAPACITY[kind], whileTurn), ...remember(message.id)],
    });
    return message.id;
  } catch (error) {
    if (error instanceof ClaimLost) await checkRoom(deps, session, kind, CAPACITY[kind]);
    throw error;
  }
}

/** Joins the end of a queue that waits on an idle session, and starts its head: both, or neither. */
async function joinAndStart(
  deps: StartTurnDeps,
  session: StoredSession,
  head: StoredQueued,
  said: Queueing,
  remember: (id: string) => readonly Statement[],
): Promise<string> {
  const message = toQueued(deps, session, said);
  const { kind, actor } = said;
  try {
    await startQueued(deps, session, head, {
      actor,
      events: [queueJoined(message)],
      changes: (turnId) => [insertQueued(session, message, CAPACITY[kind], turnId), ...remember(message.id)],
    });
    return message.id;
  } catch (error) {
    // The head would have left.
    if (error instanceof ClaimLost) await checkRoom(deps, session, kind, CAPACITY[kind] + 1);
    throw error;
  }
}

function toQueued(deps: StartTurnDeps, session: StoredSession, said: Queueing): QueuedMessage {
  const { kind, framing, parts, actor } = said;
  const [id, createTimeMs] = [deps.newId("queued"), deps.clock.now()];
  return { id, sessionId: session.id, kind, framing, parts, actor, createTimeMs };
}

async function checkRoom(deps: StartTurnDeps, session: StoredSession, kind: QueuedKind, most: number): Promise<void> {
  if ((await countQueued(deps.db, session.key, kind)) < most) return;
  throw new DomainError(
    "exhausted",
    "QUEUE_FULL",
    `${CAPACITY[kind]} messages wait in session ${session.id}; try again later or remove one`,
    { session_id: session.id, retry_after_ms: String(RETRY_AFTER_MS) },
  );
}

/** Where a queued message is now. */
export async function placeOf(deps: StartTurnDeps, sessionId: string, id: string, duplicate: boolean): Promise<Queued> {
  const session = await getSession(deps.db, sessionId);
  const queued = await findQueued(deps.db, session.key, id);
  if (queued === undefined) return { id, position: 0, duplicate };
  const all: readonly StoredQueued[] = await listQueued(deps.db, session.key, queued.kind);
  return { id, position: all.findIndex((other) => other.id === id) + 1, duplicate };
}

/** The session or its queue is not as it was when we looked: look again. */
function isOvertaken(error: unknown): boolean {
  return error instanceof ClaimLost || (error instanceof DomainError && error.reason === "SESSION_BUSY");
}
