import { DomainError } from "../../errors.ts";
import { checkSize } from "../../message/message-size.ts";
import { getSession, type StoredSession } from "../../session/session-store.ts";
import { ClaimLost } from "../../store/database.ts";
import { enqueue, placeOf, type Queued, type Said } from "./queue.ts";
import type { Framing } from "./queued-message.ts";
import type { StartTurnDeps } from "../start-turn.ts";
import { getTurn } from "../turn-store.ts";

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
            if (framing === "replacement") deps.runner.interrupt({ id: turnId, sessionId });
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

async function checkSteerable(deps: StartTurnDeps, session: StoredSession, expectedTurnId: string): Promise<string> {
  const turnId = session.runningTurnId;
  const turn = turnId === "" ? undefined : await getTurn(deps.db, session.id, turnId);
  if (turn?.state !== "running" && turn?.state !== "waiting") {
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
