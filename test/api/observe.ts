import { ConnectError, Code } from "@connectrpc/connect";
import { BadRequestSchema } from "../../gen/ts/google/rpc/error_details_pb.ts";
import {
  reasonOf,
  type Checkpoint,
  type Event,
  type Message,
  type SendMessageResponse,
  type Session,
  type Turn,
  type WatchSessionResponse,
} from "../../src/client/client.ts";
import type { TestEngine } from "./test-engine.ts";

/** A refusal as a client sees it. */
export interface Refusal {
  readonly code: string;
  readonly reason: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  /** The fields of its `google.rpc.BadRequest`. */
  readonly fields: readonly string[];
}

/** What a call was refused with; fails where it was not. */
export async function refusalOf(call: Promise<unknown>): Promise<Refusal> {
  const outcome = await call.then(
    (value: unknown) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if ("value" in outcome) throw new Error(`not refused: ${printed(outcome.value)}`);
  return toRefusal(outcome.error);
}

export function toRefusal(error: unknown): Refusal {
  if (!(error instanceof ConnectError)) throw error;
  const info = reasonOf(error);
  return {
    code: Code[error.code].replaceAll(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase(),
    reason: info?.reason,
    metadata: info?.metadata ?? {},
    fields: error
      .findDetails(BadRequestSchema)
      .flatMap(({ fieldViolations }) => fieldViolations.map(({ field }) => field)),
  };
}

function printed(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => (typeof inner === "bigint" ? String(inner) : inner)).slice(
    0,
    500,
  );
}

export async function createSession(
  engine: TestEngine,
  settings: Parameters<TestEngine["sessions"]["createSession"]>[0] = {},
): Promise<Session> {
  return (await engine.sessions.createSession(settings)).session!;
}

/** A user message of one text. */
export function text(value: string) {
  return [{ content: { case: "text" as const, value } }];
}

export type StreamResponse = SendMessageResponse | WatchSessionResponse;

export interface Seen {
  readonly events: Event[];
  readonly checkpoints: Checkpoint[];
}

/** Reads a stream until `isEnough` says so, or to its end. The stream is closed then. */
export async function readUntil(
  open: (signal: AbortSignal) => AsyncIterable<StreamResponse>,
  isEnough: (seen: Seen, last: StreamResponse) => boolean = () => false,
): Promise<Seen> {
  const controller = new AbortController();
  const seen: Seen = { events: [], checkpoints: [] };
  try {
    for await (const response of open(controller.signal)) {
      const { payload } = response;
      if (payload.case === "event") seen.events.push(payload.value);
      if (payload.case === "checkpoint") seen.checkpoints.push(payload.value);
      if (isEnough(seen, response)) return seen;
    }
    return seen;
  } finally {
    controller.abort();
  }
}

/** Watches from a number on until an event fits. */
export function watchUntil(
  engine: TestEngine,
  sessionId: string,
  fits: (event: Event) => boolean,
  afterSeq = 0n,
): Promise<Seen> {
  return readUntil(
    (signal) => engine.messages.watchSession({ sessionId, afterSeq }, { signal }),
    (_seen, { payload }) => payload.case === "event" && fits(payload.value),
  );
}

/** Everything in the log now. */
export async function replay(engine: TestEngine, sessionId: string, afterSeq = 0n): Promise<Event[]> {
  const { events } = await readUntil(
    (signal) => engine.messages.watchSession({ sessionId, afterSeq }, { signal }),
    (_seen, { payload }) => payload.case === "checkpoint" && payload.value.caughtUp,
  );
  return events;
}

/** Waits for the end of a turn and returns it. */
export async function endOf(engine: TestEngine, turn: Turn | undefined): Promise<Turn> {
  const { id: turnId, sessionId, firstSeq } = turn!;
  await watchUntil(
    engine,
    sessionId,
    (event) => event.payload.case === "turnEnded" && event.turnId === turnId,
    firstSeq - 1n,
  );
  return (await engine.messages.getTurn({ sessionId, turnId })).turn!;
}

/** Starts a turn and waits for its end. */
export async function runTurn(engine: TestEngine, sessionId: string, words: string): Promise<Turn> {
  return endOf(engine, (await engine.messages.startTurn({ sessionId, parts: text(words) })).turn);
}

export async function listMessages(engine: TestEngine, sessionId: string): Promise<Message[]> {
  const messages: Message[] = [];
  let pageToken = "";
  do {
    const page = await engine.sessions.listMessages({ sessionId, pageToken });
    messages.unshift(...page.messages);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return messages;
}

export async function listTurns(engine: TestEngine, sessionId: string): Promise<Turn[]> {
  const turns: Turn[] = [];
  let pageToken = "";
  do {
    const page = await engine.messages.listTurns({ sessionId, pageToken });
    turns.push(...page.turns);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return turns;
}

export async function listSessions(engine: TestEngine): Promise<Session[]> {
  const sessions: Session[] = [];
  let pageToken = "";
  do {
    const page = await engine.sessions.listSessions({ pageToken });
    sessions.push(...page.sessions);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return sessions;
}

/** All that a refused call must leave as it was. */
export async function stateOf(engine: TestEngine, sessionId: string) {
  return {
    sessions: await listSessions(engine),
    turns: await listTurns(engine, sessionId),
    messages: await listMessages(engine, sessionId),
    // Deltas of a message that was just completed are dropped by and by; no fact is.
    events: (await replay(engine, sessionId)).filter(
      ({ payload }) => payload.case !== "textDelta" && payload.case !== "reasoningDelta",
    ),
  };
}

export function textOf(message: Message | undefined): string {
  return (message?.parts ?? []).map(({ content }) => (content.case === "text" ? content.value : "")).join("");
}

export function kindsOf(events: readonly Event[]): string[] {
  return events.flatMap(({ payload }) => payload.case ?? []);
}

/** Waits until nobody reads a stream of the engine any more: what a test opened, it has closed. */
export async function noReaders(engine: TestEngine): Promise<void> {
  while ((await engine.engine.getStatus({})).readers > 0) await new Promise((resolve) => setImmediate(resolve));
}
