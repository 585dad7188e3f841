import type { StoredSession } from "../../session/session-store.ts";
import { isAtWork, readAgentCalls } from "./agent-calls.ts";
import { listCalls } from "../call/tool-call-store.ts";
import type { TurnDeps } from "../turn-deps.ts";
import { setCancelling } from "../turn-store.ts";
import type { TurnEnd } from "../turn.ts";
import type { TurnHost } from "../turn-host.ts";

/** What a turn does not wait for any more is of no use: its agents are stopped, before that is so. */
export async function stopAgents(
  { db }: Pick<TurnDeps, "db">,
  host: TurnHost,
  { id }: StoredSession,
  turnId: string,
  end: TurnEnd,
): Promise<void> {
  if (end.reason === "completed" || end.reason === "interrupted") return;
  const agentCalls = await readAgentCalls(db, id, await listCalls(db, turnId));
  await Promise.all(
    agentCalls.filter(isAtWork).map(async ({ turn }) => {
      if (turn === undefined) return;
      host.stop(turn.id, "cancelled");
      await db.transact([setCancelling(turn.id)], { essential: true });
      host.wake(turn);
      await host.whenDone(turn.id);
    }),
  );
}
