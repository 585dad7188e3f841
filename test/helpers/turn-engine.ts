import { NO_PROCESSES } from "./no-processes.ts";
import { GIVEN_WORKSPACES } from "./given-workspaces.ts";
import { afterEach } from "vitest";
import type { EventPayload } from "../../src/event/event.ts";
import { createEventLog } from "../../src/event/event-log.ts";
import { follow } from "../../src/event/follow.ts";
import { newId } from "../../src/id.ts";
import { createIdempotency } from "../../src/idempotency/idempotency.ts";
import { listConversation } from "../../src/message/message-store.ts";
import { createProfiles } from "../../src/profile/profile.ts";
import { createSession } from "../../src/session/create-session.ts";
import { findSession, getSession } from "../../src/session/session-store.ts";
import type { SessionSettings } from "../../src/session/session.ts";
import { openSqlite } from "../../src/store/sqlite.ts";
import type { Tool } from "../../src/tool/tool.ts";
import { cancelTurn } from "../../src/turn/cancel-turn.ts";
import { recoverTurns } from "../../src/turn/recover.ts";
import { retryTurn, startTurn } from "../../src/turn/start-turn.ts";
import { createTurnRunner } from "../../src/turn/turn-runner.ts";
import { getTurn } from "../../src/turn/turn-store.ts";
import { DEFAULT_LIMITS } from "../../src/turn/turn.ts";
import { createGate } from "./gate.ts";
import { createFakeClock } from "./fake-clock.ts";
import { NO_SOURCES } from "./no-sources.ts";
import { NO_TITLES } from "./no-titles.ts";
import { scriptModel, type Answer } from "./scripted-model.ts";

const SETTINGS: SessionSettings = {
  title: "",
  profile: "",
  model: "",
  systemPrompt: "be brief",
  workspace: "",
  labels: {},
  limits: DEFAULT_LIMITS,
  starred: false,
  resumeAfterRestart: false,
  retryPartial: false,
  approvalMode: "default",
};

const profiles = createProfiles(
  [{ name: "scripted", provider: "demo", model: "m1", baseUrl: "", apiKey: undefined, description: "" }],
  "scripted",
);

export const echo: Tool = {
  name: "echo",
  description: "says it again",
  parameters: { type: "object" },
  assess: () => ({ risk: { level: "none", reason: "it touches nothing" }, subjects: [] }),
  run: async (args) => ({ text: JSON.stringify(args) }),
};
const broken: Tool = { ...echo, name: "broken", run: () => Promise.reject(new Error("it broke")) };
export const deaf: Tool = { ...echo, name: "deaf", run: () => new Promise(() => {}) };

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

/** An engine's inside over a store in memory; `restart` makes another one over the same store, as after a kill. */
export async function setUp(
  answers: readonly Answer[],
  settings: Partial<SessionSettings> = {},
  db = openSqlite(":memory:"),
  tools = [echo, broken, deaf],
) {
  const clock = createFakeClock();
  const script = scriptModel(...answers);
  const log = createEventLog(db, (payload) => Buffer.from(JSON.stringify(payload)), clock);
  const bugs: unknown[] = [];
  const onBug = (_what: string, error: unknown): void => void bugs.push(error);
  const idempotency = createIdempotency(db, clock);
  const models = { models: script.models, titles: NO_TITLES };
  const base = {
    db,
    log,
    ...NO_SOURCES,
    clock,
    newId,
    profiles,
    ...models,
    ...createGate(),
    tools,
    random: () => 0,
    onBug,
    idempotency,
  };
  const runner = createTurnRunner(base);
  const deps = { ...base, runner, processes: NO_PROCESSES, checkRunning: () => {}, workspaces: GIVEN_WORKSPACES };
  const { id } = await createSession(deps, { idempotencyKey: "only", settings: { ...SETTINGS, ...settings } });
  closers.push(() => runner.stopAll());
  const start = (text = "hello", more = {}) =>
    startTurn(deps, {
      sessionId: id,
      idempotencyKey: "",
      model: "",
      expectedTurnId: "",
      actor: "me",
      parts: [{ kind: "text", text }],
      ...more,
    });
  const retry = () =>
    retryTurn(deps, { sessionId: id, idempotencyKey: "", model: "", expectedTurnId: "", actor: "me" });
  const ended = async (turn: { readonly id: string }) => {
    await runner.whenDone(turn.id);
    return getTurn(db, id, turn.id);
  };
  return {
    ...deps,
    id,
    script,
    bugs,
    start,
    retry,
    ended,
    cancel: () => cancelTurn(deps, { sessionId: id, turnId: "", waitMs: 1000 }),
    recover: () => recoverTurns(deps, runner),
    restart: (...next: readonly Answer[]) => setUp(next, settings, db),
    events: (after = 0) => readEvents(log, id, after),
    session: () => findSession(db, id),
    conversation: async () => listConversation(db, (await getSession(db, id)).key),
  };
}

async function readEvents(
  log: ReturnType<typeof createEventLog>,
  sessionId: string,
  after: number,
): Promise<EventPayload[]> {
  const signal = new AbortController().signal;
  const events: EventPayload[] = [];
  for await (const item of follow(log, { sessionId, afterSeq: after, signal, clock: createFakeClock() })) {
    if ("entries" in item) {
      for (const entry of item.entries)
        if ("payload" in entry) events.push(JSON.parse(Buffer.from(entry.payload).toString()) as EventPayload);
    } else if (item.checkpoint.caughtUp) return events;
  }
  return events;
}

export const kinds = (events: readonly EventPayload[]): string[] => events.map(({ kind }) => kind);
