import { delay } from "../clock.ts";
import { DomainError } from "../errors.ts";
import type { EventPayload } from "../event/event.ts";
import type { Message, MessageStatus } from "../message/message.ts";
import { completeMessage, insertMessage, listConversation } from "../message/message-store.ts";
import { ModelError, type ModelEvent } from "../model/model.ts";
import { backoffMs, callModel, MAX_ATTEMPTS } from "../model/retry.ts";
import { modelInForce } from "../profile/profile.ts";
import { addSessionUsage, type StoredSession } from "../session/session-store.ts";
import type { Statement } from "../store/database.ts";
import { addUsage, type Usage } from "../usage/usage.ts";
import { createAnswer, type Answer } from "./answer.ts";
import type { TurnEnd } from "./next-step.ts";
import { insertCall } from "./tool-call-store.ts";
import { callsOf, toTranscript } from "./transcript.ts";
import type { TurnDeps } from "./turn-deps.ts";
import { setTurnSteps, setTurnUsage, type StoredTurn } from "./turn-store.ts";
import { endOfStopped, TurnStop } from "./turn-stop.ts";
import type { TurnError } from "./turn.ts";

/** What became of a model call: the turn goes on, or it ends, maybe with an answer that is not whole. */
export interface StepOutcome {
  readonly end?: TurnEnd;
  readonly closing?: Closing;
  /** The model call failed, and the next step makes it again. */
  readonly hasFailed?: boolean;
}

/** The facts that an unfinished answer leaves, to be stored with the end of the turn. */
export interface Closing {
  readonly events: readonly EventPayload[];
  changes(seqOfFirst: number): readonly Statement[];
  /** What the turn consumed, this answer included. */
  readonly turnUsage: Usage;
}

/** Makes one model call and stores what comes of it, piece by piece. */
export async function modelStep(
  deps: TurnDeps,
  session: StoredSession,
  turn: StoredTurn,
  failedBefore: number,
  signal: AbortSignal,
): Promise<StepOutcome> {
  const { profile, model } = modelInForce(deps.profiles, { profile: session.profile, model: turn.modelOverride || session.model });
  const lease = deps.models.acquire(profile);
  const answer = createAnswer(deps.newId, { sessionId: session.id, turnId: turn.id, model, createTimeMs: deps.clock.now() });
  const call: ModelCall = { deps, session, turn, answer, model, isStarted: false };
  try {
    const request = {
      model,
      systemPrompt: session.systemPrompt,
      messages: toTranscript(await listConversation(deps.db, session.key)),
      tools: deps.tools,
    };
    await deps.log.append(session.id, {
      turnId: turn.id,
      events: [{ kind: "step_started", step: turn.steps + 1, model }],
      changes: () => [setTurnSteps(turn.id, turn.steps + 1)],
    });
    for await (const event of callModel(lease.model, request, session.limits, signal, deps)) {
      if (await take(call, event)) return { end: tooLarge(), closing: closeAnswer(call, "cancelled") };
    }
    await complete(call);
    return {};
  } catch (error) {
    if (error instanceof ModelError && error.retryable && call.isStarted && session.retryPartial && failedBefore + 1 < MAX_ATTEMPTS) {
      await retryPartial(call, error, failedBefore + 1, signal);
      return { hasFailed: true };
    }
    return { end: endOf(error, deps), closing: closeAnswer(call, statusOf(error)) };
  } finally {
    lease.release();
  }
}

/** One model call under way. */
interface ModelCall {
  readonly deps: TurnDeps;
  readonly session: StoredSession;
  readonly turn: StoredTurn;
  readonly answer: Answer;
  readonly model: string;
  /** Whether `message_started` is stored. */
  isStarted: boolean;
}

/** Takes one piece of the answer. True where the message is as large as it may be. */
async function take(call: ModelCall, event: ModelEvent): Promise<boolean> {
  const { deps, session, turn, answer } = call;
  switch (event.kind) {
    case "text":
    case "reasoning": {
      const { taken, isFull } = answer.addText(event.kind, event.text);
      const delta = { kind: event.kind, messageId: answer.messageId, text: taken };
      if (!call.isStarted) await start(call, delta);
      else if (taken !== "") deps.log.addDelta(session.id, turn.id, delta);
      return isFull;
    }
    case "tool_call":
      answer.addCall(event);
      return false;
    case "usage":
      answer.setUsage(event.usage);
      return false;
    case "stop":
      answer.stop = event.reason;
      return false;
    case "retry":
      answer.addFailedTry();
      await deps.log.append(session.id, { turnId: turn.id, events: [retryScheduled(event)] });
      return false;
  }
}

/** The first piece goes out with the start of its message, in one commit: nothing stands between the model and the reader. */
async function start(call: ModelCall, delta: { kind: "text" | "reasoning"; messageId: string; text: string }): Promise<void> {
  const { deps, session, turn, answer } = call;
  await deps.log.append(session.id, {
    turnId: turn.id,
    events: [messageStarted(call)],
    changes: (firstSeq) => [insertMessage(session.key, { ...answer.toMessage("streaming"), parts: [] }, firstSeq)],
    delta,
  });
  call.isStarted = true;
}

function messageStarted({ answer, model }: ModelCall): EventPayload {
  return { kind: "message_started", messageId: answer.messageId, role: "assistant", model };
}

/** Stores the whole answer with the calls it asks for. */
async function complete(call: ModelCall): Promise<void> {
  const { deps, session, turn, answer } = call;
  const message = answer.toMessage("complete");
  const calls = callsOf(message);
  const closing = storeAnswer(call, message);
  const requested = calls.map((part): EventPayload => ({
    kind: "tool_call_requested",
    callId: part.callId,
    name: part.name,
    arguments: part.arguments,
    messageId: message.id,
  }));
  const cut: EventPayload[] =
    answer.stop === "length"
      ? [{ kind: "warning", reason: "ANSWER_CUT", message: "the model reached its own limit of output; the answer is cut" }]
      : [];
  await deps.log.append(session.id, {
    turnId: turn.id,
    events: [...closing.events, ...requested, ...cut],
    changes: (firstSeq) => [
      ...closing.changes(firstSeq),
      ...calls.map((part, i) => insertCall(session.key, turn.id, message.id, part, turn.steps * MAX_CALLS_PER_STEP + i)),
    ],
  });
}

/** Spacing of the calls' places within a turn; only their order matters. */
const MAX_CALLS_PER_STEP = 10_000;

/** What an answer that is not whole leaves: nothing, where nothing of it was shown. */
function closeAnswer(call: ModelCall, status: MessageStatus): Closing {
  if (call.isStarted) return storeAnswer(call, call.answer.toMessage(status));
  const { session, turn, answer } = call;
  const turnUsage = addUsage(turn.usage, answer.usage());
  const changes = () => [addSessionUsage(session.id, answer.usage()), setTurnUsage(turn.id, turnUsage)];
  return { events: [], changes, turnUsage };
}

/** The facts of an answer that will not grow any more. */
function storeAnswer(call: ModelCall, message: Message): Closing {
  const { session, turn, answer } = call;
  const turnUsage = addUsage(turn.usage, answer.usage());
  const events: EventPayload[] = [
    { kind: "message_completed", message },
    { kind: "usage_reported", messageId: message.id, usage: answer.usage(), turnUsage },
  ];
  const usage = [addSessionUsage(session.id, answer.usage()), setTurnUsage(turn.id, turnUsage)];
  if (call.isStarted) return { events, changes: () => [completeMessage(message), ...usage], turnUsage };
  return {
    turnUsage,
    events: [messageStarted(call), ...events],
    changes: (seqOfFirst) => [insertMessage(session.key, message, seqOfFirst), ...usage],
  };
}

/** Keeps what was shown as a failed message, says so, and waits; the next step calls the model again. */
async function retryPartial(call: ModelCall, error: ModelError, attempt: number, signal: AbortSignal): Promise<void> {
  const { deps, session, turn } = call;
  const delayMs = error.retryAfterMs ?? backoffMs(attempt, deps.random);
  const closing = closeAnswer(call, "failed");
  await deps.log.append(session.id, {
    turnId: turn.id,
    events: [...closing.events, retryScheduled({ attempt, maxAttempts: MAX_ATTEMPTS, delayMs, error })],
    changes: (firstSeq) => closing.changes(firstSeq),
  });
  await delay(deps.clock, delayMs, signal);
}

function retryScheduled(retry: { attempt: number; maxAttempts: number; delayMs: number; error: ModelError }): EventPayload {
  const { attempt, maxAttempts, delayMs } = retry;
  return { kind: "retry_scheduled", attempt, maxAttempts, delayMs, error: toTurnError(retry.error) };
}

function toTurnError({ reason, message, retryable }: ModelError): TurnError {
  return { reason, message, retryable };
}

function tooLarge(): TurnEnd {
  const message = "the model's answer reached 1 MiB, the most a message may hold; it is cut there";
  return { reason: "limit_reached", error: { reason: "MESSAGE_TOO_LARGE", message, retryable: false } };
}

function statusOf(error: unknown): MessageStatus {
  if (!(error instanceof TurnStop)) return "failed";
  return error.stopCause === "engine_stopping" ? "interrupted" : "cancelled";
}

/** How a turn ends whose model call threw this. */
function endOf(error: unknown, deps: TurnDeps): TurnEnd {
  if (error instanceof TurnStop) return endOfStopped(error.stopCause);
  if (error instanceof ModelError) return { reason: "failed", error: toTurnError(error) };
  if (error instanceof DomainError) {
    return { reason: "failed", error: { reason: error.reason, message: error.message, retryable: error.code !== "invalid" } };
  }
  deps.onBug("model step", error);
  return { reason: "failed", error: { reason: "INTERNAL", message: "internal error; see the engine's log", retryable: true } };
}
