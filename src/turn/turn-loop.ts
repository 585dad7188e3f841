import { joinFacts, NO_FACTS } from "../event/facts.ts";
import { findSession, type StoredSession } from "../session/session-store.ts";
import { askLimit } from "./limit/ask-limit.ts";
import { reachedTime } from "./limit/budget.ts";
import { closeCalls } from "./call/close-calls.ts";
import { endTurnAtLast } from "./end-turn.ts";
import type { StepOutcome } from "./model-step.ts";
import { hasAskedOthers } from "./others.ts";
import { restTurn } from "./rest.ts";
import { stopAgents } from "./agents/stop-agents.ts";
import { listCalls } from "./call/tool-call-store.ts";
import type { TurnDeps } from "./turn-deps.ts";
import type { TurnHost } from "./turn-host.ts";
import { turnStep, type Place } from "./turn-step.ts";
import { StepReplaced, TurnStop } from "./turn-stop.ts";
import { getTurn, type StoredTurn } from "./turn-store.ts";
import type { Wakeup } from "./wakeup.ts";

/** A turn that is in memory. */
export interface Running {
  readonly controller: AbortController;
  /** Of the step it is at. */
  step: AbortController;
  readonly wakeup: Wakeup;
  /** Its next step is dropped before it begins. */
  isReplaced: boolean;
  /** It left because it waits for a human. */
  isResting: boolean;
  done: Promise<void>;
}

/** Runs a turn to its end, or until it waits for a human. Returns the turn that follows. */
export async function turnLoop(
  deps: TurnDeps,
  host: TurnHost,
  self: Running,
  { id: turnId, sessionId }: Pick<StoredTurn, "id" | "sessionId">,
  first: Place | undefined,
): Promise<Place | undefined> {
  const { controller, wakeup } = self;
  const startedAt = deps.clock.monotonic();
  let failedBefore = 0;
  let known = first;
  for (;;) {
    wakeup.take();
    const place = known ?? (await look(deps, turnId, sessionId));
    known = undefined;
    if (place === undefined || place.turn.state === "ended") return undefined;
    const { session } = place;
    self.step = new AbortController();
    if (self.isReplaced) self.step.abort(new StepReplaced());
    self.isReplaced = false;
    const signal = AbortSignal.any([controller.signal, self.step.signal]);
    const workedMs = (): number => place.turn.workedMs + deps.clock.monotonic() - startedAt;
    const cancelTimer = stopInTime(deps, place, self.step, workedMs());
    try {
      const outcome = await turnStep({ deps, host, wakeup }, place, failedBefore, signal);
      failedBefore = outcome.hasFailed === true ? failedBefore + 1 : 0;
      if (outcome.waits !== true && self.step.signal.aborted) self.isReplaced = false;
      if (outcome.waits === true && (await restTurn(deps, session, place.turn, workedMs()))) {
        self.isResting = true;
        return undefined;
      }
      if (outcome.end === undefined) continue;
      if (await asksForTime(deps, host, place, outcome)) continue;
      if (await isLeftForRecovery(deps, session, turnId, signal)) return undefined;
      await stopAgents(deps, host, session, turnId, outcome.end);
      const { end, closing } = outcome;
      const ending = { end, ...(closing && { closing }) };
      const turn = await endTurnAtLast(deps, session, turnId, ending, host.signal);
      wakeParent(host, session);
      return turn && { session, turn, isNew: true };
    } finally {
      cancelTimer();
    }
  }
}

/** Where the store says that a turn is; undefined where its session is gone. */
async function look(deps: TurnDeps, turnId: string, sessionId: string): Promise<Place | undefined> {
  const session = await findSession(deps.db, sessionId);
  return session && { session, turn: await getTurn(deps.db, sessionId, turnId), isNew: false };
}

/** Drops the step once the turn has used its working time. One that asks for more of a limit does nothing that takes time. */
function stopInTime(
  { clock }: TurnDeps,
  { session, turn }: Place,
  step: AbortController,
  workedMs: number,
): () => void {
  if (turn.limitRequestId !== "") return () => undefined;
  const remainingMs = session.limits.maxWorkingTimeMs + turn.granted.timeMs - workedMs;
  return clock.after(Math.max(0, remainingMs), () => step.abort(new TurnStop("time_exhausted")));
}

/** What the step was at is over; whether the turn is, a human says. False where nobody can be asked. */
async function asksForTime(
  deps: TurnDeps,
  host: TurnHost,
  { session, turn }: Place,
  { end, closing }: StepOutcome,
): Promise<boolean> {
  if (end?.error?.reason !== "TIME_EXHAUSTED" || turn.limitRequestId !== "") return false;
  await stopAgents(deps, host, session, turn.id, end);
  const closed = await closeCalls(deps, session, turn.id, end, false);
  const left = joinFacts({ ...NO_FACTS, ...closing }, closed);
  if (!(await askLimit(deps, session, turn, reachedTime(session, turn), left))) return false;
  for (const request of closed.ended) deps.bells.ring(request);
  return true;
}

/** Sessions that go on by themselves after a restart keep their turn open for it, and so does a turn that asked a human. */
async function isLeftForRecovery(
  deps: TurnDeps,
  session: StoredSession,
  turnId: string,
  signal: AbortSignal,
): Promise<boolean> {
  const reason: unknown = signal.reason;
  if (!(reason instanceof TurnStop && reason.stopCause === "engine_stopping")) return false;
  if (session.resumeAfterRestart) return true;
  return hasAskedOthers(await getTurn(deps.db, session.id, turnId), await listCalls(deps.db, turnId));
}

/** The turn that waits for an agent goes on with what that has done. */
export function wakeParent(host: TurnHost, { parent }: StoredSession): void {
  if (parent !== undefined) host.wake({ id: parent.turnId, sessionId: parent.sessionId });
}
