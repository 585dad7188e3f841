import { DomainError } from "../errors.ts";
import { findSession } from "../session/session-store.ts";
import { ClaimLost } from "../store/database.ts";
import { endTurnAtLast } from "./end-turn.ts";
import type { TurnDeps } from "./turn-deps.ts";
import type { TurnHost } from "./turn-host.ts";
import { turnLoop, wakeParent, type Running } from "./turn-loop.ts";
import type { Place } from "./turn-step.ts";
import { StepReplaced, TurnStop } from "./turn-stop.ts";
import type { StoredTurn } from "./turn-store.ts";
import type { RunNewTurn } from "./turn-waker.ts";
import { createWakeup } from "./wakeup.ts";

/** Runs turns: each is a loop of its own that ends with the turn, never with the call that started it. */
export interface TurnRunner extends Omit<TurnHost, "signal"> {
  /** Goes on with a turn from whatever the store says. */
  run(turn: Pick<StoredTurn, "id" | "sessionId">): void;
  /** Drops the step that a turn is at, or what it waits for; the turn goes on with what was said to it. */
  interrupt(turn: Pick<StoredTurn, "id" | "sessionId">): void;
  /** How many run. */
  count(): number;
  /** Ends all turns INTERRUPTED, but leaves those that asked a human, or whose sessions go on after a restart, as they are. */
  stopAll(): Promise<void>;
}

/** How long turns have to end when the engine stops; a part of the 10 s that a stop may take. */
const STOP_MS = 4000;

export function createTurnRunner(deps: TurnDeps): TurnRunner {
  const running = new Map<string, Running>();
  const engine = new AbortController();
  let isStopping = false;

  async function guarded(
    turn: Pick<StoredTurn, "id" | "sessionId">,
    self: Running,
    first: Place | undefined,
  ): Promise<void> {
    try {
      const next = await turnLoop(deps, host, self, turn, first);
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
      wakeParent(host, session);
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

  const host: TurnHost = {
    wake: (turn) => wake(turn),
    runNew,
    stop(turnId, cause) {
      const turn = running.get(turnId);
      turn?.controller.abort(new TurnStop(cause));
      return turn !== undefined;
    },
    whenDone,
    signal: engine.signal,
  };

  return {
    ...host,
    run: (turn) => start(turn, undefined),
    interrupt(turn) {
      const self = running.get(turn.id);
      if (self === undefined) return wake(turn, true);
      self.step.abort(new StepReplaced());
      // Where it is just about to rest, it comes back for this.
      self.isReplaced = true;
      self.wakeup.ring();
    },
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
