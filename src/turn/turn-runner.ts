import { DomainError } from "../errors.ts";
import { findLastOfTurn } from "../message/message-store.ts";
import { findSession, type StoredSession } from "../session/session-store.ts";
import { ClaimLost } from "../store/database.ts";
import { closeCalls, endTurnAtLast } from "./end-turn.ts";
import { modelStep, type StepOutcome } from "./model-step.ts";
import { nextStep, type NextStep } from "./next-step.ts";
import { listQueued } from "./queue-store.ts";
import { takeSteers } from "./take-steers.ts";
import { listCalls } from "./tool-call-store.ts";
import { toolStep } from "./tool-step.ts";
import type { TurnDeps } from "./turn-deps.ts";
import { getTurn, type StoredTurn } from "./turn-store.ts";
import { endOfStopped, StepReplaced, TurnStop, type StopCause } from "./turn-stop.ts";

/** Runs turns: each is a loop of its own that ends with the turn, never with the call that started it. */
export interface TurnRunner {
  /** Goes on with a turn from whatever the store says. */
  run(turn: Pick<StoredTurn, "id" | "sessionId">): void;
  /** Runs a turn that was stored just now with its first step. Both are as they were before that step. */
  runNew(turn: StoredTurn, session: StoredSession): void;
  /** Aborts what a turn is doing. False where it is not running here. */
  stop(turnId: string, cause: StopCause): boolean;
  /** Drops the step that a turn is at; the turn goes on with what was said to it. */
  interrupt(turnId: string): void;
  /** Resolves when a turn is no longer running here. */
  whenDone(turnId: string): Promise<void>;
  /** How many run. */
  count(): number;
  /** Ends all turns INTERRUPTED, but leaves those of sessions that go on after a restart as they are. */
  stopAll(): Promise<void>;
}

/** How long turns have to end when the engine stops; a part of the 10 s that a stop may take. */
const STOP_MS = 4000;

interface Running {
  readonly controller: AbortController;
  /** Of the step it is at. */
  step: AbortController;
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

  /** Where the store says that a turn is; undefined where its session is gone. */
  async function look(turnId: string, sessionId: string): Promise<Place | undefined> {
    const session = await findSession(deps.db, sessionId);
    return session && { session, turn: await getTurn(deps.db, sessionId, turnId), isNew: false };
  }

  /** Runs a turn to its end. Returns the turn that follows. */
  async function loop(
    { id: turnId, sessionId }: Pick<StoredTurn, "id" | "sessionId">,
    self: Running,
    first: Place | undefined,
  ): Promise<Place | undefined> {
    const { controller } = self;
    const startedAt = deps.clock.monotonic();
    let failedBefore = 0;
    let known = first;
    for (;;) {
      const place = known ?? (await look(turnId, sessionId));
      known = undefined;
      if (place === undefined) return undefined;
      const { session } = place;
      self.step = new AbortController();
      const signal = AbortSignal.any([controller.signal, self.step.signal]);
      const remainingMs = session.limits.maxWorkingTimeMs - (deps.clock.monotonic() - startedAt);
      const cancelTimer = deps.clock.after(Math.max(0, remainingMs), () =>
        controller.abort(new TurnStop("time_exhausted")),
      );
      try {
        const outcome = await step(place, failedBefore, signal);
        failedBefore = outcome.hasFailed === true ? failedBefore + 1 : 0;
        if (outcome.end === undefined) continue;
        if (isLeftForRecovery(session, signal)) return undefined;
        const { end, closing } = outcome;
        const ending = { end, ...(closing && { closing }) };
        const turn = await endTurnAtLast(deps, session, turnId, ending, engine.signal);
        return turn && { session, turn, isNew: true };
      } finally {
        cancelTimer();
      }
    }
  }

  /** Does the next thing. A stop from outside is an outcome like any other. */
  async function step(
    { session, turn, isNew }: Place,
    failedBefore: number,
    signal: AbortSignal,
  ): Promise<StepOutcome> {
    const next: NextStep = isNew ? { kind: "call_model" } : await lookAhead(session, turn);
    try {
      if (next.kind === "end") return { end: next.end };
      signal.throwIfAborted();
      if (next.kind === "call_model") {
        return await modelStep(deps, session, turn, { failedBefore, isStepStored: isNew }, signal);
      }
      if (next.kind === "take_steers") await takeSteers(deps, session, turn, next.steers);
      else await toolStep(deps, session, turn, next.calls, signal);
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
    return nextStep({ turn, limits: session.limits, lastMessage, calls, steers });
  }

  /** The turn goes on, its calls do not. */
  async function dropCalls(session: StoredSession, turn: StoredTurn): Promise<StepOutcome> {
    const closed = await closeCalls(deps, session, turn.id, { reason: "cancelled" }, false);
    if (closed.events.length > 0) await deps.log.append(session.id, { turnId: turn.id, ...closed });
    return {};
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
    }
  }

  /** A bug ends its turn, not the engine. */
  async function endBroken(turnId: string, sessionId: string): Promise<void> {
    const session = await findSession(deps.db, sessionId);
    if (session === undefined) return;
    const error = { reason: "INTERNAL", message: "internal error; see the engine's log", retryable: true };
    try {
      await endTurnAtLast(deps, session, turnId, { end: { reason: "failed", error } }, engine.signal);
    } catch (second) {
      deps.onBug(`end of turn ${turnId}`, second);
    }
  }

  function start(turn: Pick<StoredTurn, "id" | "sessionId">, first: Place | undefined): void {
    const self: Running = {
      controller: new AbortController(),
      step: new AbortController(),
      done: Promise.resolve(),
    };
    running.set(turn.id, self);
    self.done = guarded(turn, self, first);
  }

  return {
    run: (turn) => start(turn, undefined),
    runNew: (turn, session) => start(turn, { turn, session, isNew: true }),
    interrupt: (turnId) => running.get(turnId)?.step.abort(new StepReplaced()),
    stop(turnId, cause) {
      const turn = running.get(turnId);
      turn?.controller.abort(new TurnStop(cause));
      return turn !== undefined;
    },
    whenDone: (turnId) => running.get(turnId)?.done ?? Promise.resolve(),
    count: () => running.size,
    stopAll: async () => {
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

/** Sessions that go on by themselves after a restart keep their turn open for it. */
function isLeftForRecovery(session: StoredSession, signal: AbortSignal): boolean {
  const reason: unknown = signal.reason;
  return session.resumeAfterRestart && reason instanceof TurnStop && reason.stopCause === "engine_stopping";
}

/** The session was removed, or the turn was ended, by somebody else: nothing is left to do. */
function isGone(error: unknown): boolean {
  if (error instanceof ClaimLost) return error.claim === "turn";
  return (
    error instanceof DomainError && ["SESSION_NOT_FOUND", "SESSION_DELETED", "TURN_NOT_FOUND"].includes(error.reason)
  );
}
