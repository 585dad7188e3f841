import { join } from "node:path";
import { insertEvent, setLogEnd } from "../src/event/event-store.ts";
import type { EventPayload } from "../src/event/event.ts";
import type { Message } from "../src/message/message.ts";
import { insertMessage } from "../src/message/message-store.ts";
import { encodePayload } from "../src/rpc/event-codec.ts";
import { insertSession } from "../src/session/session-store.ts";
import type { Statement } from "../src/store/database.ts";
import { insertTurn, setTurnEnded, NOTHING_GRANTED, type StoredTurn } from "../src/turn/turn-store.ts";
import { DEFAULT_LIMITS } from "../src/turn/turn.ts";
import type { Usage } from "../src/usage/usage.ts";
import { indexMessages, keptStore } from "./kept-store.ts";
import { textOf } from "./tokens.ts";

/** Counts up when what is made here changes; a store of another count is made anew. */
const GENERATION = 1;
const SESSIONS = 10_000;
/** Each turn has seven events. The first session is the one that is replayed; together they have a million. */
const LONG_TURNS = 14_286;
const TURNS = 13;
export const EVENTS_PER_TURN = 7;

const USAGE: Usage = { inputTokens: 120, outputTokens: 25, reasoningTokens: 0, cachedInputTokens: 0, modelCalls: 1 };
const ANSWER = textOf({ tokens: 25, perSecond: 0 });
const ACTOR = "admin";

/** A data directory with a large store, and its longest session. */
export interface LargeStore {
  readonly dataDir: string;
  readonly database: string;
  readonly sessions: number;
  readonly events: number;
  readonly long: { readonly sessionId: string; readonly sessionKey: number; readonly events: number };
}

/** Makes the store where none of this schema is kept from an earlier run. */
export function largeStore(): LargeStore {
  const dataDir = keptStore("large", GENERATION, (filling) => {
    let turn = 1;
    for (let key = 1; key <= SESSIONS; key++) {
      turn = fillSession(filling.run, key, turn, key === 1 ? LONG_TURNS : TURNS);
    }
    indexMessages(filling);
  });
  return {
    dataDir,
    database: join(dataDir, "parley.db"),
    sessions: SESSIONS,
    events: EVENTS_PER_TURN * (LONG_TURNS + (SESSIONS - 1) * TURNS),
    long: { sessionId: idOf("ses", 1), sessionKey: 1, events: EVENTS_PER_TURN * LONG_TURNS },
  };
}

/** As long as the engine's own. */
export function idOf(prefix: string, number: number): string {
  return `${prefix}_0${String(number).padStart(24, "0")}`;
}

/** Makes a session of so many turns. Answers the number of the next turn. */
export function fillSession(
  run: (statement: Statement) => void,
  key: number,
  firstTurn: number,
  turns: number,
): number {
  const sessionId = idOf("ses", key);
  const settings = {
    title: `Session ${key}`,
    profile: "demo",
    model: "",
    systemPrompt: "",
    workspace: "",
    labels: {},
    limits: DEFAULT_LIMITS,
    starred: false,
    resumeAfterRestart: false,
    retryPartial: false,
    approvalMode: "default" as const,
  };
  insertSession(sessionId, settings, timeOf(firstTurn)).forEach(run);
  for (let i = 0; i < turns; i++) fillTurn(run, key, firstTurn + i, 1 + i * EVENTS_PER_TURN);
  run(setLogEnd(key, 0, turns * EVENTS_PER_TURN));
  return firstTurn + turns;
}

function timeOf(turn: number): number {
  return Date.UTC(2026, 0, 1) + turn * 1000;
}

function fillTurn(run: (statement: Statement) => void, sessionKey: number, number: number, firstSeq: number): void {
  const sessionId = idOf("ses", sessionKey);
  const createTimeMs = timeOf(number);
  const turn: StoredTurn = {
    id: idOf("turn", number),
    sessionId,
    sessionKey,
    state: "running",
    endReason: undefined,
    error: undefined,
    model: "demo",
    modelOverride: "",
    actor: ACTOR,
    steps: 1,
    usage: USAGE,
    recoveries: 0,
    workedMs: 0,
    granted: NOTHING_GRANTED,
    limitRequestId: "",
    isAnswered: false,
    queuedId: "",
    firstSeq,
    createTimeMs,
    endTimeMs: undefined,
  };
  const base = { sessionId, turnId: turn.id, status: "complete", createTimeMs } as const;
  const question: Message = {
    ...base,
    id: idOf("msg", 2 * number),
    role: "user",
    parts: [{ kind: "text", text: `Question ${number}: what came of it?` }],
    model: "",
    usage: undefined,
  };
  const answer: Message = {
    ...base,
    id: idOf("msg", 2 * number + 1),
    role: "assistant",
    parts: [{ kind: "text", text: ANSWER }],
    model: "demo",
    usage: USAGE,
  };
  const events: EventPayload[] = [
    { kind: "turn_started", turn },
    { kind: "message_completed", message: question },
    { kind: "step_started", step: 1, model: "demo" },
    { kind: "message_started", messageId: answer.id, role: "assistant", model: "demo" },
    { kind: "message_completed", message: answer },
    { kind: "usage_reported", messageId: answer.id, usage: USAGE, turnUsage: USAGE },
    { kind: "turn_ended", reason: "completed", usage: USAGE, error: undefined },
  ];
  run(insertTurn(turn));
  run(setTurnEnded(turn.id, "completed", undefined, createTimeMs, firstSeq + EVENTS_PER_TURN - 1));
  run(insertMessage(sessionKey, question, firstSeq + 1));
  run(insertMessage(sessionKey, answer, firstSeq + 3));
  for (const [i, payload] of events.entries()) {
    const entry = { seq: firstSeq + i, createTimeMs, turnId: turn.id, actor: i < 2 ? ACTOR : "" };
    run(insertEvent(sessionKey, { ...entry, payload: encodePayload(payload) }));
  }
}
