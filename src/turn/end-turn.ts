import { delay } from "../clock.ts";
import { DomainError } from "../errors.ts";
import { getSession, setIdle, type StoredSession } from "../session/session-store.ts";
import type { ToolOutcome } from "../message/message.ts";
import type { Closing } from "./answer-log.ts";
import type { TurnEnd } from "./next-step.ts";
import { toolCallEnded } from "./tool-step.ts";
import { listCalls, type ToolCall } from "./tool-call-store.ts";
import type { TurnDeps } from "./turn-deps.ts";
import { getTurn, setTurnEnded, type StoredTurn } from "./turn-store.ts";

/** A turn whose end the disk refuses is ended as soon as it takes it. */
const RETRY_END_MS = 1000;

/**
 * Ends a turn, in one transaction: the answer that is not whole, every open call with a result that says why, the end
 * itself, and the session idle again. The history is valid for the next model call whatever happened. `wasKilled`: the
 * engine died meanwhile, so what a call that had started came to is not known.
 */
export async function endTurn(
  deps: TurnDeps,
  session: StoredSession,
  turnId: string,
  end: TurnEnd,
  closing: Partial<Closing> = {},
  wasKilled = false,
): Promise<void> {
  const turn = await getTurn(deps.db, session.id, turnId);
  const openCalls = (await listCalls(deps.db, turnId)).filter(
    (call) => call.state === "requested" || call.state === "started",
  );
  const closedCalls = openCalls.map((call) =>
    toolCallEnded(deps, session, turnId, call.id, closedResult(call, end, wasKilled)),
  );
  const closedEvents = closedCalls.flatMap((closed) => closed.events);
  const closingEvents = closing.events ?? [];
  await deps.log.append(session.id, {
    turnId,
    essential: true,
    events: [
      ...closingEvents,
      ...closedEvents,
      { kind: "turn_ended", reason: end.reason, usage: closing.turnUsage ?? turn.usage, error: end.error },
    ],
    changes: (firstSeq, nowMs) => [
      setTurnEnded(turnId, end.reason, end.error, nowMs),
      ...(closing.changes?.(firstSeq) ?? []),
      ...closedCalls.flatMap((closed, i) => closed.changes(firstSeq + closingEvents.length + i, nowMs)),
      setIdle(session.id, turnId, nowMs),
    ],
  });
}

/** Ends a turn, and goes on trying while the disk refuses, until the engine stops. */
export async function endTurnAtLast(
  deps: TurnDeps,
  session: StoredSession,
  turn: StoredTurn,
  end: TurnEnd,
  closing: Partial<Closing> | undefined,
  stopping: AbortSignal,
): Promise<void> {
  for (;;) {
    try {
      await endTurn(deps, session, turn.id, end, closing);
      return;
    } catch (error) {
      if (!(error instanceof DomainError) || !error.reason.startsWith("STORAGE_")) throw error;
      await delay(deps.clock, RETRY_END_MS, stopping);
      await getSession(deps.db, session.id);
    }
  }
}

/** What the model is told of a call that had started when the engine died. */
export const UNKNOWN_RESULT = {
  outcome: "unknown",
  text: "The engine stopped while this call ran: whether it had an effect is not known. It was not run again.",
} as const;

function closedResult(call: ToolCall, end: TurnEnd, wasKilled: boolean): { outcome: ToolOutcome; text: string } {
  if (call.state === "started" && (wasKilled || end.reason === "interrupted")) return UNKNOWN_RESULT;
  const why = end.reason === "cancelled" ? "cancelled" : "ended";
  const ran = call.state === "started" ? "before it was over" : "before it began";
  return { outcome: "cancelled", text: `The turn was ${why} ${ran}.` };
}
