import { delay } from "../clock.ts";
import { DomainError } from "../errors.ts";
import { getSession, handOver, setIdle, type StoredSession } from "../session/session-store.ts";
import { joinFacts, NO_FACTS, type Facts } from "../event/facts.ts";
import { ClaimLost } from "../store/database.ts";
import type { Closing } from "./answer-log.ts";
import { closeCalls } from "./call/close-calls.ts";
import type { TurnEnd } from "./turn.ts";
import { openTurn } from "./open-turn.ts";
import { queueJoined, queueLeft } from "./queue/queue-events.ts";
import { claimQueue, deleteQueued, listQueued, moveToFollowUps, type StoredQueued } from "./queue/queue-store.ts";
import type { TurnDeps } from "./turn-deps.ts";
import { getTurn, setTurnEnded, type StoredTurn } from "./turn-store.ts";

/** A turn whose end the disk refuses is ended as soon as it takes it. */
const RETRY_END_MS = 1000;

/** How a turn ends, and what is left of it. */
export interface TurnEnding {
  readonly end: TurnEnd;
  /** The answer that is not whole. */
  readonly closing?: Partial<Closing>;
  /** The engine died meanwhile, so what a call that had started came to is not known. */
  readonly wasKilled?: boolean;
  /** What its calls had printed; absent = as the log has it in memory. */
  readonly printed?: (callId: string) => string;
}

/**
 * Ends a turn, in one transaction: the answer that is not whole, what it asked, every open call with a result that says why,
 * the end itself, and the session idle again, or with the next queued message's turn running, which is returned. The history is
 * valid for the next model call whatever happened. Steers that were not taken up become the first follow-ups.
 */
export async function endTurn(
  deps: TurnDeps,
  session: StoredSession,
  turnId: string,
  { end, closing, wasKilled = false, printed }: TurnEnding,
): Promise<StoredTurn | undefined> {
  const turn = await getTurn(deps.db, session.id, turnId);
  const calls = await closeCalls(deps, session, turnId, end, wasKilled, printed);
  const queue = await advanceQueue(deps, session, end.reason === "completed");
  const { next } = queue;
  const left = joinFacts({ ...NO_FACTS, ...closing }, calls);
  const usage = closing?.turnUsage ?? turn.usage;
  const ended: Facts = {
    events: [{ kind: "turn_ended", reason: end.reason, usage, error: end.error }],
    changes: (seq, nowMs) => [setTurnEnded(turnId, end.reason, end.error, nowMs, seq)],
  };
  const all = joinFacts(left, ended, queue);
  await deps.log.append(session.id, {
    turnId,
    essential: true,
    events: all.events,
    ...(next !== undefined && { next: { turnId: next.turn.id, actor: next.turn.actor, events: next.events } }),
    changes: (firstSeq, nowMs) => [
      ...all.changes(firstSeq, nowMs),
      ...(next?.changes(firstSeq + all.events.length) ?? []),
      ...(next === undefined ? setIdle(session.id, turnId, nowMs) : handOver(session.id, turnId, next.turn.id, nowMs)),
    ],
  });
  for (const request of calls.ended) deps.bells.ring(request);
  return next?.turn;
}

/** What the end of a turn does to the queue, and the turn that begins with its head. */
async function advanceQueue(deps: TurnDeps, session: StoredSession, startsNext: boolean) {
  const steers = await listQueued(deps.db, session.key, "steer");
  const followUps = await listQueued(deps.db, session.key, "follow_up");
  // Claimed where it is empty, too: who joins after this look would wait in a session that rests.
  const claim = claimQueue(session.key, steers.length, followUps.length);
  if (steers.length + followUps.length === 0) return { events: [], changes: () => [claim], next: undefined };
  const first = followUps[0]?.position ?? 0;
  const moved = steers.map((steer, i): StoredQueued => ({
    ...steer,
    kind: "follow_up",
    framing: "plain",
    position: first - steers.length + i,
  }));
  const head = startsNext ? [...moved, ...followUps][0] : undefined;
  const next = head && openTurn(deps, session, { parts: head.parts, model: "", actor: head.actor, queuedId: head.id });
  return {
    next,
    events: [...(moved.length > 0 ? [queueJoined(...moved)] : []), ...(head === undefined ? [] : [queueLeft(head.id)])],
    changes: () => [
      claim,
      ...moved.map(({ id, position }) => moveToFollowUps(id, position)),
      ...(head === undefined ? [] : [deleteQueued(head.id)]),
    ],
  };
}

/** Ends a turn, and goes on trying while the disk refuses, until the engine stops. Returns the turn that follows. */
export async function endTurnAtLast(
  deps: TurnDeps,
  session: StoredSession,
  turnId: string,
  ending: TurnEnding,
  stopping: AbortSignal,
): Promise<StoredTurn | undefined> {
  for (;;) {
    try {
      return await endTurn(deps, session, turnId, ending);
    } catch (error) {
      // Somebody said or answered something in the same moment.
      if (error instanceof ClaimLost && ["queued", "request", "call"].includes(error.claim)) continue;
      if (!(error instanceof DomainError) || !error.reason.startsWith("STORAGE_")) throw error;
      await delay(deps.clock, RETRY_END_MS, stopping);
      await getSession(deps.db, session.id);
    }
  }
}
