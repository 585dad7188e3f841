import { timestampMs } from "@bufbuild/protobuf/wkt";
import { Role } from "../../gen/ts/parley/v1/message_pb.ts";
import type { Event } from "../../gen/ts/parley/v1/event_pb.ts";
import { sha256, textOf, type Answer } from "../tokens.ts";
import { connectMany, connectTo, createSession, turnRequest, type Calls, type Target } from "./calls.ts";

export interface WatchedTurn {
  /** Watchers whose text, pieced together, and whose whole message are both what the model said. */
  readonly exact: number;
  /** By the times of the events. */
  readonly turnMs: number;
  /** From the end of the turn to the moment the last watcher knew. */
  readonly lastDelayMs: number;
  /** Messages that all of them got together. */
  readonly messages: number;
}

/** One turn, watched by so many from before its start. */
export async function watchTurn(input: {
  target: Target;
  watchers: number;
  connections: number;
  answer: Answer;
}): Promise<WatchedTurn> {
  const control = connectTo(input.target);
  const sessionId = await createSession(control);
  const pick = await connectMany(input.target, input.connections);
  const watchers = Array.from({ length: input.watchers }, (_, i) => watch(pick(i), sessionId));
  await Promise.all(watchers.map(({ ready }) => ready));
  await control.messages.startTurn(turnRequest(sessionId, input.answer));
  const seen = await Promise.all(watchers.map(({ done }) => done));
  const wanted = sha256(textOf(input.answer));
  const [first] = seen;
  for (let i = 0; i < input.connections; i++) pick(i).close();
  control.close();
  return {
    exact: seen.filter(({ text, whole }) => sha256(text) === wanted && sha256(whole) === wanted).length,
    turnMs: (first?.endedMs ?? NaN) - (first?.startedMs ?? NaN),
    lastDelayMs: Math.max(...seen.map(({ toldMs, endedMs }) => toldMs - endedMs)),
    messages: seen.reduce((sum, { messages }) => sum + messages, 0),
  };
}

interface Seen {
  text: string;
  whole: string;
  messages: number;
  startedMs: number;
  endedMs: number;
  /** When this watcher learned of the end. */
  toldMs: number;
}

function watch({ messages }: Calls, sessionId: string): { ready: Promise<void>; done: Promise<Seen> } {
  const abort = new AbortController();
  const ready = Promise.withResolvers<void>();
  const follow = async (): Promise<Seen> => {
    const seen: Seen = { text: "", whole: "", messages: 0, startedMs: NaN, endedMs: NaN, toldMs: NaN };
    for await (const { payload } of messages.watchSession({ sessionId }, { signal: abort.signal })) {
      seen.messages++;
      if (payload.case === "checkpoint" && payload.value.caughtUp) ready.resolve();
      if (payload.case === "event" && take(seen, payload.value)) break;
    }
    abort.abort();
    return seen;
  };
  const done = follow();
  done.catch(ready.reject);
  return { ready: ready.promise, done };
}

/** True at the end of the turn. */
function take(seen: Seen, { createTime, payload }: Event): boolean {
  const timeMs = createTime === undefined ? NaN : timestampMs(createTime);
  if (payload.case === "turnStarted") seen.startedMs = timeMs;
  if (payload.case === "textDelta") seen.text += payload.value.text;
  if (payload.case === "messageCompleted" && payload.value.message?.role === Role.ASSISTANT) {
    const { parts } = payload.value.message;
    seen.whole = parts.map(({ content }) => (content.case === "text" ? content.value : "")).join("");
  }
  if (payload.case !== "turnEnded") return false;
  seen.endedMs = timeMs;
  seen.toldMs = Date.now();
  return true;
}
