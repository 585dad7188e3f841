import { DomainError } from "../errors.ts";
import { findLastOfTurn } from "../message/message-store.ts";
import { findSession, type StoredSession } from "../session/session-store.ts";
import { ClaimLost } from "../store/database.ts";
import { joinFacts, NO_FACTS } from "../event/facts.ts";
import { getRequest } from "../request/request-store.ts";
import { isAtWork, readAgentCalls } from "./agent-calls.ts";
import { askLimit, grantLimit } from "./ask-limit.ts";
import { readBudgets, reachedTime } from "./budget.ts";
import { closeCalls } from "./close-calls.ts";
import { endTurnAtLast } from "./end-turn.ts";
import { modelStep, type StepOutcome } from "./model-step.ts";
import { nextStep, type NextStep } from "./next-step.ts";
import type { TurnEnd } from "./turn.ts";
import { endOfLimit } from "./limit-words.ts";
import { listQueued } from "./queue-store.ts";
import { turnGoesOn } from "./request-end.ts";
import { hasAskedOthers } from "./others.ts";
import { restTurn } from "./rest.ts";
import { tendAgents } from "./tend-agents.ts";
import { takeCalls } from "./take-calls.ts";
import { takeSteers } from "./take-steers.ts";
import { listCalls } from "./tool-call-store.ts";
import type { TurnDeps } from "./turn-deps.ts";
import { getTurn, setCancelling, type StoredTurn } from "./turn-store.ts";
import { endOfStopped, StepReplaced, TurnStop, type StopCause } from "./turn-stop.ts";
import type { RunNewTurn, WakeTurn } from "./turn-waker.ts";
import { createWakeup, type Wakeup } from "./wakeup.ts";

/** Runs turns: each is a loop of its own that ends with the turn, never with the call that started it. */
export interface TurnRunner {
  /** Goes on with a turn from whatever the store says. */
  run(turn: Pick<StoredTurn, "id" | "sessionId">): void;
  /** Says that the store has something new for a turn: one that runs here looks, one that rests goes on. */
  readonly wake: WakeTurn;
  readonly runNew: RunNewTurn;
  /** Aborts what a turn is doing. False where it is not running here. */
  stop(turnId: string, cause: StopCause): boolean;
  /** Drops the step that a turn is at, or what it waits for; the turn goes on with what was said to it. */
  interrupt(turn: Pick<StoredTurn, "id" | "sessionId">): void;
  /** Resolves when a turn is no longer running here. */
  whenDone(turnId: string): Promise<void>;
  /** How many run. */
  count(): number;
  /** Ends all turns INTERRUPTED, but leaves those that asked a human, or whose sessions go on after a restart, as they are. */
  stopAll(): Promise<void>;
}

/** How long turns have to end when the engine stops; a part of the 10 s that a stop may take. */
const STOP_MS = 4000;

interface Running {
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

/** Where a turn is. `isNew`: its first step is stored and not made yet. */
interface Place {
  readonly session: StoredSession;
  readonly turn: StoredTurn;
  readonly isNew: boolean;
}

export function createTurnRunner(deps: TurnDeps): TurnRunner {
  const running = new Map<string, Running>();
  const engine = new AbortController();
  let isStopping = false;

  /** Where the store says that a turn is; undefined where its session is gone. */
  async function look(turnId: string, sessionId: string): Promise<Place | undefined> {
    const session = await findSession(deps.db, sessionId);
    return session && { session, turn: await getTurn(deps.db, sessionId, turnId), isNew: false };
  }

  /** Runs a turn to its end, or until it waits for a human. Returns the turn that follows. */
  async function loop(
    { id: turnId, sessionId }: Pick<StoredTurn, "id" | "sessionId">,
    self: Running,
    first: Place | undefined,
  ): Promise<Place | undefined> {
    const { controller, wakeup } = self;
    const startedAt = deps.clock.monotonic();
    let failedBefore = 0;
    let known = first;
    for (;;) {
      wakeup.take();
      const place = known ?? (await look(turnId, sessionId));
      known = undefined;
      if (place === undefined || place.turn.state === "ended") return undefined;
      const { session } = place;
      self.step = new AbortController();
      if (self.isReplaced) self.step.abort(new StepReplaced());
      self.isReplaced = false;
      const signal = AbortSignal.any([controller.signal, self.step.signal]);
      const workedMs = (): number => place.turn.workedMs + deps.clock.monotonic() - startedAt;
      const cancelTimer = stopInTime(place, self.step, workedMs());
      try {
        const outcome = await step(place, { failedBefore, wakeup }, signal);
        failedBefore = outcome.hasFailed === true ? failedBefore + 1 : 0;
        if (outcome.waits !== true && self.step.signal.aborted) self.isReplaced = false;
        if (outcome.waits === true && (await restTurn(deps, session, place.turn, workedMs()))) {
          self.isResting = true;
          return undefined;
        }
        if (outcome.end === undefined) continue;
        if (await asksForTime(place, outcome)) continue;
        if (await isLeftForRecovery(session, turnId, signal)) return undefined;
        await stopAgents(session, turnId, outcome.end);
        const { end, closing } = outcome;
        const ending = { end, ...(closing && { closing }) };
        const turn = await endTurnAtLast(deps, session, turnId, ending, engine.signal);
        wakeParent(session);
        return turn && { session, turn, isNew: true };
      } finally {
        cancelTimer();
      }
    }
  }

  /** What a turn does not wait for any more is of no use: its agents are stopped, before that is so. */
  async function stopAgents({ id }: StoredSession, turnId: string, end: TurnEnd): Promise<void> {
    if (end.reason === "completed" || end.reason === "interrupted") return;
    const agentCalls = await readAgentCalls(deps.db, id, await listCalls(deps.db, turnId));
    await Promise.all(
      agentCalls.filter(isAtWork).map(async ({ turn }) => {
        if (turn === undefined) return;
        running.get(turn.id)?.controller.abort(new TurnStop("cancelled"));
        await deps.db.transact([setCancelling(turn.id)], { essential: true });
        wake(turn);
        await whenDone(turn.id);
      }),
    );
  }

  /** The turn that waits for an agent goes on with what that has done. */
  function wakeParent({ parent }: StoredSession): void {
    if (parent !== undefined) wake({ id: parent.turnId, sessionId: parent.sessionId });
  }

  /** Drops the step once the turn has used its working time. One that asks for more of a limit does nothing that takes time. */
  function stopInTime({ session, turn }: Place, step: AbortController, workedMs: number): () => void {
    if (turn.limitRequestId !== "") return () => undefined;
    const remainingMs = session.limits.maxWorkingTimeMs + turn.granted.timeMs - workedMs;
    return deps.clock.after(Math.max(0, remainingMs), () => step.abort(new TurnStop("time_exhausted")));
  }

  /** What the step was at is over; whether the turn is, a human says. False where nobody can be asked. */
  async function asksForTime({ session, turn }: Place, { end, closing }: StepOutcome): Promise<boolean> {
    if (end?.error?.reason !== "TIME_EXHAUSTED" || turn.limitRequestId !== "") return false;
    await stopAgents(session, turn.id, end);
    const closed = await closeCalls(deps, session, turn.id, end, false);
    const left = joinFacts({ ...NO_FACTS, ...closing }, closed);
    if (!(await askLimit(deps, session, turn, reachedTime(session, turn), left))) return false;
    for (const request of closed.ended) deps.bells.ring(request);
    return true;
  }

  /** Does the next thing. A stop from outside is an outcome like any other. */
  async function step(
    { session, turn, isNew }: Place,
    { failedBefore, wakeup }: { readonly failedBefore: number; readonly wakeup: Wakeup },
    signal: AbortSignal,
  ): Promise<StepOutcome & { readonly waits?: boolean }> {
    const next: NextStep = isNew ? { kind: "call_model" } : await lookAhead(session, turn);
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
      if (error instanceof StepReplaced) return await dropCalls(session, turn);
      if (error instanceof TurnStop) return { end: endOfStopped(error.stopCause) };
      throw error;
    }
  }

  async function lookAhead(session: StoredSession, turn: StoredTurn): Promise<NextStep> {
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
  async function dropCalls(session: StoredSession, turn: StoredTurn): Promise<StepOutcome> {
    await stopAgents(session, turn.id, { reason: "cancelled" });
    const closed = await closeCalls(deps, session, turn.id, { reason: "cancelled" }, false);
    if (closed.events.length === 0) return {};
    try {
      await deps.log.append(session.id, { turnId: turn.id, ...joinFacts(closed, turnGoesOn(session, turn.id)) });
    } catch (error) {
      // Somebody answered in the same moment.
      if (error instanceof ClaimLost && ["request", "call"].includes(error.claim)) return dropCalls(session, turn);
      throw error;
    }
    for (const request of closed.ended) deps.bells.ring(request);
    return {};
  }

  /** Sessions that go on by themselves after a restart keep their turn open for it, and so does a turn that asked a human. */
  async function isLeftForRecovery(session: StoredSession, turnId: string, signal: AbortSignal): Promise<boolean> {
    const reason: unknown = signal.reason;
    if (!(reason instanceof TurnStop && reason.stopCause === "engine_stopping")) return false;
    if (session.resumeAfterRestart) return true;
    return hasAskedOthers(await getTurn(deps.db, session.id, turnId), await listCalls(deps.db, turnId));
  }

  async function guarded(
    turn: Pick<StoredTurn, "id" | "sessionId">,
    self: Running,
    first: Place | undefined,
  ): Promise<void> {
    try {
      const next = await loop(turn, self, first);
      if (next !== undefined && !engine.signal.aborted) start(next.turn, next);
    } catch (error) {
      if (isGone(error) || engine.signal.aborted) return;
      deps.onBug(`turn ${turn.id}`, error);
      await endBroken(turn.id, turn.sessionId);
    } finally {
      running.delete(turn.id);
      // It was told of something after it last looked.
      if (self.isResting && self.wakeup.take()) wake(turn, self.isReplaced);
    }
  }

  /** A bug ends its turn, not the engine. */
  async function endBroken(turnId: string, sessionId: string): Promise<void> {
    const session = await findSession(deps.db, sessionId);
    if (session === undefined) return;
    const error = { reason: "INTERNAL", message: "internal error; see the engine's log", retryable: true };
    try {
      await endTurnAtLast(deps, session, turnId, { end: { reason: "failed", error } }, engine.signal);
      wakeParent(session);
    } catch (second) {
      deps.onBug(`end of turn ${turnId}`, second);
    }
  }

  function start(turn: Pick<StoredTurn, "id" | "sessionId">, first: Place | undefined, isReplaced = false): void {
    const self: Running = {
      controller: new AbortController(),
      step: new AbortController(),
      wakeup: createWakeup(),
      isReplaced,
      isResting: false,
      done: Promise.resolve(),
    };
    running.set(turn.id, self);
    self.done = guarded(turn, self, first);
  }

  function wake(turn: Pick<StoredTurn, "id" | "sessionId">, isReplaced = false): void {
    const self = running.get(turn.id);
    // The next start of the engine finds what there is to do.
    if (self === undefined && !isStopping) return start(turn, undefined, isReplaced);
    self?.wakeup.ring();
  }

  const runNew: RunNewTurn = (turn, session) => start(turn, { turn, session, isNew: true });

  /** One that ended because it rested may be back. */
  async function whenDone(turnId: string): Promise<void> {
    for (let self = running.get(turnId); self !== undefined; self = running.get(turnId)) await self.done;
  }

  return {
    run: (turn) => start(turn, undefined),
    runNew,
    wake: (turn) => wake(turn),
    interrupt(turn) {
      const self = running.get(turn.id);
      if (self === undefined) return wake(turn, true);
      self.step.abort(new StepReplaced());
      // Where it is just about to rest, it comes back for this.
      self.isReplaced = true;
      self.wakeup.ring();
    },
    stop(turnId, cause) {
      const turn = running.get(turnId);
      turn?.controller.abort(new TurnStop(cause));
      return turn !== undefined;
    },
    whenDone,
    count: () => running.size,
    stopAll: async () => {
      isStopping = true;
      // A disk that refuses an end must not hold up the stop: the next start ends what is left.
      const cancelTimer = deps.clock.after(STOP_MS, () => engine.abort(new TurnStop("engine_stopping")));
      // Again, since a turn that completes in this moment may start the next one of its queue.
      while (running.size > 0) {
        const all = [...running.values()];
        for (const { controller } of all) controller.abort(new TurnStop("engine_stopping"));
        await Promise.all(all.map(({ done }) => done));
      }
      cancelTimer();
    },
  };
}

/** The session was removed, or the turn was ended, by somebody else: nothing is left to do. */
function isGone(error: unknown): boolean {
  if (error instanceof ClaimLost) return error.claim === "turn";
  return (
    error instanceof DomainError && ["SESSION_NOT_FOUND", "SESSION_DELETED", "TURN_NOT_FOUND"].includes(error.reason)
  );
}
