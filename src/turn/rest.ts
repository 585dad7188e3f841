import { setTurnState, type StoredSession } from "../session/session-store.ts";
import { ClaimLost } from "../store/database.ts";
import type { TurnDeps } from "./turn-deps.ts";
import { setTurnWaiting, type StoredTurn } from "./turn-store.ts";

/**
 * Lets a turn rest until a human has answered; thousands that do cost rows only. False where somebody has answered meanwhile, or
 * the turn is not what it was: look again.
 */
export async function restTurn(
  deps: Pick<TurnDeps, "db" | "clock">,
  session: StoredSession,
  turn: StoredTurn,
  workedMs: number,
): Promise<boolean> {
  if (turn.state === "waiting") return true;
  const now = deps.clock.now();
  const statements = [
    setTurnWaiting(turn.id, Math.round(workedMs)),
    ...setTurnState(session.id, turn.id, "waiting", now),
  ];
  try {
    await deps.db.transact(statements, { essential: true });
    return true;
  } catch (error) {
    if (error instanceof ClaimLost) return false;
    throw error;
  }
}
