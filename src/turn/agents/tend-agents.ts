import { joinFacts, type Facts } from "../../event/facts.ts";
import type { StoredSession } from "../../session/session-store.ts";
import { agentDone, type AgentCall } from "./agent-calls.ts";
import { beginAgentTurn } from "./begin-agent-turn.ts";
import { auditOfEnd } from "../call/call-audit.ts";
import type { TurnDeps } from "../turn-deps.ts";
import type { StoredTurn } from "../turn-store.ts";
import type { RunNewTurn } from "../turn-waker.ts";

/** Lets agents begin that an engine had stored and not started when it died, and takes up what the others have done. */
export async function tendAgents(
  deps: TurnDeps,
  session: StoredSession,
  turn: StoredTurn,
  agentCalls: readonly AgentCall[],
  runNew: RunNewTurn,
): Promise<void> {
  const done: Facts[] = [];
  for (const agentCall of agentCalls) {
    const { call, child } = agentCall;
    if (child !== undefined && agentCall.turn === undefined) {
      const { task } = call.arguments;
      const begin = { text: typeof task === "string" ? task : "", actor: turn.actor };
      await beginAgentTurn(deps, child.id, begin, runNew);
    } else {
      const { facts, outcome } = await agentDone(deps, session, turn, agentCall);
      done.push(facts, auditOfEnd({ sessionId: session.id, turnId: turn.id }, call, outcome));
    }
  }
  if (done.length > 0) await deps.log.append(session.id, { turnId: turn.id, ...joinFacts(...done) });
}
