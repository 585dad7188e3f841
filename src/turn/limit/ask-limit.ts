import { DomainError } from "../../errors.ts";
import { joinFacts, NO_FACTS, type Facts } from "../../event/facts.ts";
import { listAncestors, type StoredSession } from "../../session/session-store.ts";
import { ClaimLost } from "../../store/database.ts";
import { moreOf, type ReachedLimit } from "./budget.ts";
import { questionOfLimit } from "./limit-words.ts";
import type { TurnDeps } from "../turn-deps.ts";
import { requestOfTurn, requestOpened } from "../turn-request.ts";
import { clearLimitRequest, grantMore, setLimitRequest, type StoredTurn } from "../turn-store.ts";

/**
 * Asks a human whether a turn may have more of a limit that it reached, together with what is left of its step; the turn waits
 * then. False where nobody can be asked: the turn is at its end.
 */
export async function askLimit(
  deps: TurnDeps,
  session: StoredSession,
  turn: StoredTurn,
  reached: ReachedLimit,
  left: Facts = NO_FACTS,
): Promise<boolean> {
  if (await isUnattended(deps, session)) return false;
  const question = questionOfLimit(reached, session.id);
  const request = requestOfTurn(deps, session, turn, { ...question, kind: "limit", callId: "" });
  const noted: Facts = { events: [], changes: () => [setLimitRequest(turn.id, request.id)] };
  try {
    await deps.log.append(session.id, { turnId: turn.id, ...joinFacts(left, noted, requestOpened(session, request)) });
    return true;
  } catch (error) {
    // As many are open as may be, or the disk is full: then nobody can be asked.
    if (error instanceof ClaimLost && error.claim === "room") return false;
    if (error instanceof DomainError && error.reason.startsWith("STORAGE_")) return false;
    throw error;
  }
}

/** Nobody is asked in RESTRICTED, nor below a session that is. */
async function isUnattended({ db }: Pick<TurnDeps, "db">, session: StoredSession): Promise<boolean> {
  const all = [session, ...(await listAncestors(db, session))];
  return all.some(({ approvalMode }) => approvalMode === "restricted");
}

/** Gives a turn, or the one above it whose limit it is, as much again. */
export async function grantLimit(
  { log }: Pick<TurnDeps, "log">,
  turn: StoredTurn,
  requestId: string,
  reached: ReachedLimit,
): Promise<void> {
  await log.append(turn.sessionId, {
    turnId: turn.id,
    events: [],
    changes: () => [clearLimitRequest(turn.id, requestId), grantMore(reached.turnId, moreOf(reached))],
  });
}
