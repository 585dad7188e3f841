import { getSession, setRunning } from "../../session/session-store.ts";
import { ClaimLost } from "../../store/database.ts";
import { openTurn } from "../open-turn.ts";
import type { TurnDeps } from "../turn-deps.ts";
import type { RunNewTurn } from "../turn-waker.ts";

/** Begins the turn of an agent that another one has started, with its task. Begun once, whoever tries. */
export async function beginAgentTurn(
  deps: TurnDeps,
  sessionId: string,
  { text, actor }: { readonly text: string; readonly actor: string },
  runNew: RunNewTurn,
): Promise<void> {
  const session = await getSession(deps.db, sessionId);
  if (session.lastTurnId !== "") return;
  const parts = [{ kind: "text", text }] as const;
  const { turn, events, changes } = openTurn(deps, session, { parts, model: "", actor, queuedId: "" });
  try {
    const { firstSeq } = await deps.log.append(session.id, {
      actor: "",
      events: [],
      next: { turnId: turn.id, actor, events },
      changes: (seq, nowMs) => [...setRunning(session.id, turn.id, "", nowMs), ...changes(seq)],
    });
    runNew({ ...turn, firstSeq }, session);
  } catch (error) {
    // Somebody was faster, and has begun it.
    if (!(error instanceof ClaimLost && error.claim === "idle")) throw error;
  }
}
