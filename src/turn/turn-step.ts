import { joinFacts } from "../event/facts.ts";
import { findLastOfTurn } from "../message/message-store.ts";
import { getRequest } from "../request/request-store.ts";
import type { StoredSession } from "../session/session-store.ts";
import { ClaimLost } from "../store/database.ts";
import { readAgentCalls } from "./agents/agent-calls.ts";
import { askLimit, grantLimit } from "./limit/ask-limit.ts";
import { readBudgets } from "./limit/budget.ts";
import { closeCalls } from "./call/close-calls.ts";
import { endOfLimit } from "./limit/limit-words.ts";
import { modelStep, type StepOutcome } from "./model-step.ts";
import { nextStep, type NextStep } from "./next-step.ts";
import { listQueued } from "./queue/queue-store.ts";
import { turnGoesOn } from "./request-end.ts";
import { stopAgents } from "./agents/stop-agents.ts";
import { takeCalls } from "./call/take-calls.ts";
import { takeSteers } from "./queue/take-steers.ts";
import { tendAgents } from "./agents/tend-agents.ts";
import { listCalls } from "./call/tool-call-store.ts";
import type { TurnDeps } from "./turn-deps.ts";
import type { TurnHost } from "./turn-host.ts";
import { endOfStopped, StepReplaced, TurnStop } from "./turn-stop.ts";
import type { StoredTurn } from "./turn-store.ts";
import type { Wakeup } from "./wakeup.ts";

/** Where a turn is. `isNew`: its first step is stored and not made yet. */
export interface Place {
  readonly session: StoredSession;
  readonly turn: StoredTurn;
  readonly isNew: boolean;
}

/** What the steps of a turn have in common. */
export interface StepScope {
  readonly deps: TurnDeps;
  readonly host: TurnHost;
  readonly wakeup: Wakeup;
}

/** Does the next thing. A stop from outside is an outcome like any other. */
export async function turnStep(
  { deps, host, wakeup }: StepScope,
  { session, turn, isNew }: Place,
  failedBefore: number,
  signal: AbortSignal,
): Promise<StepOutcome & { readonly waits?: boolean }> {
  const { runNew } = host;
  const next: NextStep = isNew ? { kind: "call_model" } : await lookAhead(deps, session, turn);
  try {
    if (next.kind === "end") return { end: next.end };
    signal.throwIfAborted();
    if (next.kind === "wait") return { waits: true };
    if (next.kind === "limit")
      return (await askLimit(deps, session, turn, next.reached)) ? {} : { end: endOfLimit(next.reached) };
    if (next.kind === "grant") {
      await grantLimit(deps, turn, next.requestId, next.reached);
      return {};
    }
    if (next.kind === "call_model") {
      return await modelStep(deps, session, turn, { failedBefore, isStepStored: isNew }, signal);
    }
    if (next.kind === "take_steers") await takeSteers(deps, session, turn, next.steers);
    else if (next.kind === "tend_agents") await tendAgents(deps, session, turn, next.agentCalls, runNew);
    else await takeCalls({ deps, session, turn, signal, runNew }, next.calls, wakeup);
    return {};
  } catch (error) {
    if (error instanceof StepReplaced) return await dropCalls(deps, host, session, turn);
    if (error instanceof TurnStop) return { end: endOfStopped(error.stopCause) };
    throw error;
  }
}

async function lookAhead(deps: TurnDeps, session: StoredSession, turn: StoredTurn): Promise<NextStep> {
  const lastMessage = await findLastOfTurn(deps.db, session.key, turn.id);
  const calls = await listCalls(deps.db, turn.id);
  const steers = await listQueued(deps.db, session.key, "steer");
  const budgets = await readBudgets(deps.db, session, turn);
  const { limitRequestId } = turn;
  const limitRequest = limitRequestId === "" ? undefined : await getRequest(deps.db, limitRequestId);
  const agentCalls = await readAgentCalls(deps.db, session.id, calls);
  return nextStep({ turn, budgets, limitRequest, lastMessage, calls, agentCalls, steers });
}

/** The turn goes on, its calls and what it asked do not. */
async function dropCalls(
  deps: TurnDeps,
  host: TurnHost,
  session: StoredSession,
  turn: StoredTurn,
): Promise<StepOutcome> {
  await stopAgents(deps, host, session, turn.id, { reason: "cancelled" });
  const closed = await closeCalls(deps, session, turn.id, { reason: "cancelled" }, false);
  if (closed.events.length === 0) return {};
  try {
    await deps.log.append(session.id, { turnId: turn.id, ...joinFacts(closed, turnGoesOn(session, turn.id)) });
  } catch (error) {
    // Somebody answered in the same moment.
    if (error instanceof ClaimLost && ["request", "call"].includes(error.claim))
      return dropCalls(deps, host, session, turn);
    throw error;
  }
  for (const request of closed.ended) deps.bells.ring(request);
  return {};
}
