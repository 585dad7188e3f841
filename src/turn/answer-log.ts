import type { Delta, EventPayload } from "../event/event.ts";
import type { Message, MessageStatus } from "../message/message.ts";
import { completeMessage, insertMessage } from "../message/message-store.ts";
import type { ModelError } from "../model/model.ts";
import { addSessionUsage, type StoredSession } from "../session/session-store.ts";
import type { Statement } from "../store/database.ts";
import { addUsage, type Usage } from "../usage/usage.ts";
import type { Answer } from "./answer.ts";
import { insertCall } from "./call/tool-call-store.ts";
import { callsOf } from "./context/transcript.ts";
import type { TurnDeps } from "./turn-deps.ts";
import { setTurnUsage, type StoredTurn } from "./turn-store.ts";
import type { TurnError } from "./turn.ts";

/** One model call under way. */
export interface ModelCall {
  readonly deps: TurnDeps;
  readonly session: StoredSession;
  readonly turn: StoredTurn;
  /** The model in force. */
  readonly model: string;
  readonly answer: Answer;
  /** Whether `message_started` is stored. */
  isStarted: boolean;
}

/** The facts that end an answer, to be stored alone or together with the end of the turn. */
export interface Closing {
  readonly events: readonly EventPayload[];
  changes(firstSeq: number): readonly Statement[];
  /** What the turn consumed, this answer included. */
  readonly turnUsage: Usage;
}

/** Spacing of the calls' places within a turn; only their order matters. */
const PLACES_PER_STEP = 10_000;

/** The first piece goes out with the start of its message, in one commit: nothing stands between the model and the reader. */
export async function startAnswer(call: ModelCall, delta: Delta): Promise<void> {
  const { deps, session, turn, answer } = call;
  await deps.log.append(session.id, {
    turnId: turn.id,
    events: [messageStarted(call)],
    changes: (firstSeq) => [insertMessage(session.key, { ...answer.toMessage("streaming"), parts: [] }, firstSeq)],
    delta,
  });
  call.isStarted = true;
}

/** Stores the whole answer with the calls it asks for. */
export async function completeAnswer(call: ModelCall): Promise<void> {
  const { deps, session, turn, answer } = call;
  const message = answer.toMessage("complete");
  const calls = callsOf(message);
  const closing = factsOf(call, message);
  const requested = calls.map(({ callId, name, arguments: args }): EventPayload => ({
    kind: "tool_call_requested",
    callId,
    name,
    arguments: args,
    messageId: message.id,
  }));
  await deps.log.append(session.id, {
    turnId: turn.id,
    events: [...closing.events, ...requested, ...(answer.isCut() ? [ANSWER_CUT] : [])],
    changes: (firstSeq) => [
      ...closing.changes(firstSeq),
      ...calls.map((part, i) => insertCall(session.key, turn.id, message.id, part, turn.steps * PLACES_PER_STEP + i)),
    ],
  });
}

const ANSWER_CUT: EventPayload = {
  kind: "warning",
  reason: "ANSWER_CUT",
  message: "the model reached its own limit of output; the answer is cut",
};

/** What an answer that is not whole leaves: its consumption alone, where nothing of it was shown. */
export function closeAnswer(call: ModelCall, status: MessageStatus): Closing {
  if (call.isStarted) return factsOf(call, call.answer.toMessage(status));
  const turnUsage = addUsage(call.turn.usage, call.answer.usage());
  return { events: [], changes: () => usageChanges(call, turnUsage), turnUsage };
}

/** The facts of an answer that will not grow any more. */
function factsOf(call: ModelCall, message: Message): Closing {
  const usage = call.answer.usage();
  const turnUsage = addUsage(call.turn.usage, usage);
  const events: EventPayload[] = [
    { kind: "message_completed", message },
    { kind: "usage_reported", messageId: message.id, usage, turnUsage },
  ];
  if (call.isStarted) {
    return { events, changes: () => [completeMessage(message), ...usageChanges(call, turnUsage)], turnUsage };
  }
  return {
    events: [messageStarted(call), ...events],
    changes: (firstSeq) => [insertMessage(call.session.key, message, firstSeq), ...usageChanges(call, turnUsage)],
    turnUsage,
  };
}

function usageChanges({ session, turn, answer }: ModelCall, turnUsage: Usage): readonly Statement[] {
  return [...addSessionUsage(session.id, answer.usage()), setTurnUsage(turn.id, turnUsage)];
}

function messageStarted({ answer, model }: ModelCall): EventPayload {
  return { kind: "message_started", messageId: answer.messageId, role: "assistant", model };
}

export function retryScheduled(retry: {
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly delayMs: number;
  readonly error: ModelError;
}): EventPayload {
  const { attempt, maxAttempts, delayMs, error } = retry;
  return { kind: "retry_scheduled", attempt, maxAttempts, delayMs, error: toTurnError(error) };
}

export function toTurnError({ reason, message, retryable }: ModelError): TurnError {
  return { reason, message, retryable };
}
