import { delay } from "../clock.ts";
import { DomainError } from "../errors.ts";
import { ModelError, type ModelEvent } from "../model/model.ts";
import { callModel, MAX_ATTEMPTS, waitBeforeRetry } from "../model/retry.ts";
import { modelInForce } from "../profile/profile.ts";
import type { StoredSession } from "../session/session-store.ts";
import { createAnswer } from "./answer.ts";
import {
  closeAnswer,
  completeAnswer,
  retryScheduled,
  startAnswer,
  toTurnError,
  type Closing,
  type ModelCall,
} from "./answer-log.ts";
import { buildContext, toModelRequest } from "./context/model-context.ts";
import type { TurnEnd } from "./turn.ts";
import type { TurnDeps } from "./turn-deps.ts";
import { setTurnSteps, type StoredTurn } from "./turn-store.ts";
import { endOfStopped, statusOfStopped, StepReplaced, TurnStop } from "./turn-stop.ts";

/** What became of a step: the turn goes on, or it ends, maybe with an answer that is not whole. */
export interface StepOutcome {
  readonly end?: TurnEnd;
  readonly closing?: Closing;
  /** The model call failed, and the next step makes it again. */
  readonly hasFailed?: boolean;
}

/** A reason of one's own: without one, each abort makes an error with a stack. */
const STEP_OVER = new Error("the step is over");

/** What a step is told of the turn's past that is not in the store. */
export interface StepPast {
  /** How many model calls in a row failed half-way. */
  readonly failedBefore: number;
  /** Whether the step is in the store already. */
  readonly isStepStored: boolean;
}

/** Makes one model call and stores what comes of it, piece by piece. */
export async function modelStep(
  deps: TurnDeps,
  session: StoredSession,
  turn: StoredTurn,
  { failedBefore, isStepStored }: StepPast,
  signal: AbortSignal,
): Promise<StepOutcome> {
  const named = { profile: session.profile, model: turn.modelOverride || session.model };
  const { profile, model } = modelInForce(deps.profiles, named);
  const base = { sessionId: session.id, turnId: turn.id, model, createTimeMs: deps.clock.now() };
  const call: ModelCall = { deps, session, turn, model, answer: createAnswer(deps.newId, base), isStarted: false };
  const lease = deps.models.acquire(profile);
  const own = new AbortController();
  let pieces: ReturnType<typeof callModel> | undefined;
  try {
    const request = toModelRequest(model, await buildContext(deps, session));
    pieces = callModel(lease.model, request, session.limits, AbortSignal.any([signal, own.signal]), deps);
    // The step is stored while the model thinks: nobody waits for the disk before the first token.
    const [first] = await Promise.all([pieces.next(), isStepStored ? undefined : storeStep(call)]);
    for (let piece = first; piece.done !== true; piece = await pieces.next()) {
      const isFull = await take(call, piece.value);
      if (isFull) return { end: tooLarge(), closing: closeAnswer(call, "cancelled") };
    }
    await completeAnswer(call);
    return {};
  } catch (error) {
    const retry = retryOfPartial(error, call, failedBefore);
    if (retry !== undefined) {
      await pauseAfterPartial(call, retry, signal);
      return { hasFailed: true };
    }
    if (error instanceof StepReplaced) {
      const { events, changes } = closeAnswer(call, "cancelled");
      if (events.length > 0) await deps.log.append(session.id, { turnId: turn.id, events, changes });
      return {};
    }
    const status = error instanceof TurnStop ? statusOfStopped(error.stopCause) : "failed";
    return { end: endOf(error, deps), closing: closeAnswer(call, status) };
  } finally {
    own.abort(STEP_OVER);
    await pieces?.return(undefined);
    lease.release();
  }
}

async function storeStep({ deps, session, turn, model }: ModelCall): Promise<void> {
  await deps.log.append(session.id, {
    turnId: turn.id,
    events: [{ kind: "step_started", step: turn.steps + 1, model }],
    changes: () => [setTurnSteps(turn.id, turn.steps + 1)],
  });
}

/** Takes one piece of the answer. True where the message is as large as it may be. */
async function take(call: ModelCall, event: ModelEvent): Promise<boolean> {
  const { deps, session, turn, answer } = call;
  switch (event.kind) {
    case "text":
    case "reasoning": {
      const { taken, isFull } = answer.addText(event.kind, event.text);
      const delta = { kind: event.kind, messageId: answer.messageId, text: taken };
      if (!call.isStarted) {
        await startAnswer(call, delta);
        deps.titles.begin(session, turn.modelOverride);
      } else if (taken !== "") deps.log.addDelta(session.id, turn.id, delta);
      return isFull;
    }
    case "tool_call":
      deps.titles.begin(session, turn.modelOverride);
      return answer.addCall(event).isFull;
    case "usage":
      answer.setUsage(event.usage);
      return false;
    case "stop":
      answer.setStop(event.reason);
      return false;
    case "retry":
      answer.addFailedTry();
      await deps.log.append(session.id, { turnId: turn.id, events: [retryScheduled(event)] });
      return false;
  }
}

/** A try that failed, and when the next one comes. */
type Retry = Parameters<typeof retryScheduled>[0];

/** A call that failed before it showed anything was retried already; one that failed after it is only where the session wants it. */
function retryOfPartial(error: unknown, call: ModelCall, failedBefore: number): Retry | undefined {
  const attempt = failedBefore + 1;
  if (!(error instanceof ModelError) || !call.isStarted || !call.session.retryPartial) return undefined;
  const delayMs = attempt < MAX_ATTEMPTS ? waitBeforeRetry(error, attempt, call.deps.random) : undefined;
  return delayMs === undefined ? undefined : { attempt, maxAttempts: MAX_ATTEMPTS, delayMs, error };
}

/** Keeps what was shown as a failed message, says so, and waits; the next step calls the model again. */
async function pauseAfterPartial(call: ModelCall, retry: Retry, signal: AbortSignal): Promise<void> {
  const { deps, session, turn } = call;
  const closing = closeAnswer(call, "failed");
  await deps.log.append(session.id, {
    turnId: turn.id,
    events: [...closing.events, retryScheduled(retry)],
    changes: (firstSeq) => closing.changes(firstSeq),
  });
  await delay(deps.clock, retry.delayMs, signal);
}

function tooLarge(): TurnEnd {
  const message = "the model's answer reached 1 MiB, the most a message may hold; it is cut there";
  return { reason: "limit_reached", error: { reason: "MESSAGE_TOO_LARGE", message, retryable: false } };
}

/** How a turn ends whose model call threw this. */
function endOf(error: unknown, deps: TurnDeps): TurnEnd {
  if (error instanceof TurnStop) return endOfStopped(error.stopCause);
  if (error instanceof ModelError) return { reason: "failed", error: toTurnError(error) };
  if (error instanceof DomainError) {
    const { reason, message, code } = error;
    return { reason: "failed", error: { reason, message, retryable: code === "exhausted" || code === "unavailable" } };
  }
  deps.onBug("model step", error);
  return {
    reason: "failed",
    error: { reason: "INTERNAL", message: "internal error; see the engine's log", retryable: true },
  };
}
