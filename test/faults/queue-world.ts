import { NO_PROCESSES } from "../helpers/no-processes.ts";
import { GIVEN_WORKSPACES } from "../helpers/given-workspaces.ts";
import { DomainError } from "../../src/errors.ts";
import type { EventPayload } from "../../src/event/event.ts";
import { createEventLog } from "../../src/event/event-log.ts";
import { follow } from "../../src/event/follow.ts";
import { newId } from "../../src/id.ts";
import { createIdempotency } from "../../src/idempotency/idempotency.ts";
import type { Message } from "../../src/message/message.ts";
import { listConversation } from "../../src/message/message-store.ts";
import { ModelError, type Model, type ModelEvent, type ModelRequest } from "../../src/model/model.ts";
import { createProfiles } from "../../src/profile/profile.ts";
import { createSession } from "../../src/session/create-session.ts";
import { getSession } from "../../src/session/session-store.ts";
import type { SessionSettings } from "../../src/session/session.ts";
import type { Database, Transaction } from "../../src/store/database.ts";
import { openSqlite } from "../../src/store/sqlite.ts";
import type { Tool } from "../../src/tool/tool.ts";
import { cancelTurn } from "../../src/turn/cancel-turn.ts";
import { followUp, removeQueued } from "../../src/turn/queue/queue.ts";
import { listQueueAfter } from "../../src/turn/queue/queue-store.ts";
import type { Framing, QueuedKind } from "../../src/turn/queue/queued-message.ts";
import { recoverTurns } from "../../src/turn/recover.ts";
import { retryTurn, startTurn } from "../../src/turn/start-turn.ts";
import { steer } from "../../src/turn/queue/steer.ts";
import { createTurnRunner } from "../../src/turn/turn-runner.ts";
import { DEFAULT_LIMITS } from "../../src/turn/turn.ts";
import { createGate } from "../helpers/gate.ts";
import { createFakeClock } from "../helpers/fake-clock.ts";
import { NO_SOURCES } from "../helpers/no-sources.ts";
import { NO_TITLES } from "../helpers/no-titles.ts";

/** Model calls that a turn may make. */
export const MAX_STEPS = 4;

/** How a store treats the queue wrongly: which statements it does not write, and how it reads. */
export interface Guard {
  readonly write?: (sql: string) => boolean;
  readonly read?: (sql: string) => string;
}

interface Said {
  readonly text: string;
  readonly isFramed: boolean;
}

/** A session whose model does what it is told, when it is told. Calls answer with the reason of their refusal, or "". */
export interface QueueWorld {
  /** What went wrong where nobody waits for it. */
  readonly bugs: string[];
  steer(text: string, framing: Framing): Promise<string>;
  followUp(text: string): Promise<string>;
  /** Says the last thing again, with its key. */
  repeat(): Promise<string>;
  remove(queuedId: string): Promise<string>;
  /** Removes the last one that was removed. */
  removeGone(): Promise<string>;
  start(text: string): Promise<string>;
  retry(): Promise<string>;
  cancel(): Promise<string>;
  modelDoes(what: "answer" | "call tool" | "fail"): void;
  /** The engine is no more, and another one takes up what it left. */
  kill(): Promise<void>;
  /** Waits until so many model calls were made in all, and a turn runs or does not. */
  settle(calls: number | undefined, isRunning: boolean): Promise<void>;
  queued(): Promise<readonly { readonly id: string; readonly kind: QueuedKind; readonly text: string }[]>;
  said(): Promise<readonly Said[]>;
  /** What the last model call was sent of what was said. */
  sentToModel(): readonly Said[];
  events(): Promise<readonly EventPayload[]>;
  close(): Promise<void>;
}

const SETTINGS: SessionSettings = {
  title: "",
  profile: "",
  model: "",
  systemPrompt: "",
  workspace: "",
  labels: {},
  limits: { ...DEFAULT_LIMITS, maxSteps: MAX_STEPS },
  starred: false,
  resumeAfterRestart: false,
  retryPartial: false,
  // Nobody is there to be asked for more steps.
  approvalMode: "restricted",
};

const profiles = createProfiles(
  [{ name: "told", provider: "demo", model: "m", baseUrl: "", apiKey: undefined, description: "" }],
  "told",
);

const echo: Tool = {
  name: "echo",
  description: "Says it again.",
  parameters: { type: "object" },
  assess: () => ({ risk: { level: "none", reason: "it touches nothing" }, subjects: [] }),
  run: (args) => Promise.resolve({ text: JSON.stringify(args) }),
};

/** A turn that has not come so far after so many rounds of the event loop never will. */
const MAX_ROUNDS = 2000;

export async function createQueueWorld(settings: Partial<SessionSettings>, guard: Guard): Promise<QueueWorld> {
  const clock = createFakeClock();
  const store = openSqlite(":memory:", clock);
  const told = createToldModel();
  const bugs: string[] = [];
  const build = () => {
    const { db, die } = connect(store, guard);
    return { ...createEngine(db, told.model, clock, bugs), die, workspaces: GIVEN_WORKSPACES };
  };
  let engine = build();
  const { id } = await createSession(engine, { idempotencyKey: "only", settings: { ...SETTINGS, ...settings } });
  const { key } = await getSession(store, id);
  let keys = 0;
  let last: (() => Promise<unknown>) | undefined;
  let gone = "queued_none";

  /** Says something with a key of its own; it can be repeated as long as it was taken. */
  async function say(call: (idempotencyKey: string) => Promise<unknown>): Promise<string> {
    const idempotencyKey = `key ${++keys}`;
    const reason = await refusalOf(() => call(idempotencyKey));
    if (reason === "") last = () => call(idempotencyKey);
    return reason;
  }
  const common = { sessionId: id, actor: "me" };
  const turn = { ...common, idempotencyKey: "", model: "", expectedTurnId: "" };

  return {
    bugs,
    steer: (text, framing) =>
      say((idempotencyKey) =>
        steer(engine, { ...common, idempotencyKey, parts: parts(text), framing, expectedTurnId: "" }),
      ),
    followUp: (text) => say((idempotencyKey) => followUp(engine, { ...common, idempotencyKey, parts: parts(text) })),
    repeat: () => refusalOf(async () => last?.()),
    async remove(queuedId) {
      const reason = await refusalOf(() => removeQueued(engine, { ...common, queuedId }));
      if (reason === "") gone = queuedId;
      return reason;
    },
    removeGone: () => refusalOf(() => removeQueued(engine, { ...common, queuedId: gone })),
    start: (text) => refusalOf(() => startTurn(engine, { ...turn, parts: parts(text) })),
    retry: () => refusalOf(() => retryTurn(engine, turn)),
    cancel: () => refusalOf(() => cancelTurn(engine, { sessionId: id, turnId: "", waitMs: 1000 })),
    modelDoes: told.do,
    async kill() {
      engine.die();
      // What it had handed over is written before the next one looks.
      await store.transact([{ sql: "UPDATE sessions SET key = key WHERE key = ?", params: [key] }]);
      engine = build();
      await recoverTurns(engine, engine.runner);
    },
    async settle(calls, isRunning) {
      for (let round = 0; round < MAX_ROUNDS; round++) {
        const { runningTurnId } = await getSession(store, id);
        const isSo = (runningTurnId !== "") === isRunning && (!isRunning || told.isWaiting());
        if (isSo && (calls === undefined || told.requests.length === calls)) return;
        await new Promise((resolve) => setImmediate(resolve));
        if (round % 10 === 9) await clock.advance(1);
      }
      throw new Error(
        `${told.requests.length} model calls, not ${calls}, or the turn is not ${isRunning ? "" : "not "}running`,
      );
    },
    async queued() {
      const queued = await listQueueAfter(store, key, undefined, 50, 1e6);
      return queued.map(({ id: queuedId, kind, parts: [part] }) => ({
        id: queuedId,
        kind,
        text: part?.kind === "text" ? part.text : "",
      }));
    },
    said: async () => saidIn(await listConversation(store, key)),
    sentToModel: () => saidIn(told.requests.at(-1)?.messages ?? []),
    events: () => readEvents(engine.log, id),
    async close() {
      await engine.runner.stopAll();
      await engine.log.close();
      await store.close();
    },
  };
}

function createEngine(db: Database, model: Model, clock: ReturnType<typeof createFakeClock>, bugs: string[]) {
  const log = createEventLog(db, (payload) => Buffer.from(JSON.stringify(payload)), clock);
  const idempotency = createIdempotency(db, clock);
  const models = { acquire: () => ({ model, release: () => undefined }), close: () => Promise.resolve() };
  const onBug = (what: string, error: unknown): void => void bugs.push(`${what}: ${String(error)}`);
  const parts = { models, titles: NO_TITLES, tools: [echo], ...NO_SOURCES, ...createGate() };
  const base = {
    db,
    log,
    clock,
    newId,
    profiles,
    processes: NO_PROCESSES,
    ...parts,
    random: () => 0,
    onBug,
    idempotency,
  };
  return { ...base, runner: createTurnRunner(base), checkRunning: () => undefined };
}

/** A model that says a word and waits to be told what it does then. */
function createToldModel() {
  const requests: ModelRequest[] = [];
  let waiting: ((events: readonly ModelEvent[] | Error) => void) | undefined;
  const model: Model = {
    async *stream(request, signal) {
      requests.push(request);
      const next = new Promise<readonly ModelEvent[] | Error>((resolve, reject) => {
        waiting = resolve;
        signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
      });
      // It may be aborted while nobody asks for more.
      next.catch(() => undefined);
      yield { kind: "text", text: "…" };
      const events = await next;
      if (events instanceof Error) throw events;
      yield* events;
    },
    close: () => Promise.resolve(),
  };
  const call = { kind: "tool_call", providerCallId: "p", name: "echo", argumentsJson: "{}" } as const;
  const does = {
    answer: [{ kind: "stop", reason: "end" }],
    "call tool": [call, { kind: "stop", reason: "tool_calls" }],
    fail: new ModelError("PROVIDER_REFUSED", "no", { retryable: false }),
  } as const;
  return {
    model,
    requests,
    isWaiting: () => waiting !== undefined,
    do(what: keyof typeof does) {
      waiting?.(does[what]);
      waiting = undefined;
    },
  };
}

/** The store as one engine sees it; what a dead engine still has to say never reaches it. */
function connect(db: Database, { write = () => true, read = (sql) => sql }: Guard) {
  let isDead = false;
  const keep = (transaction: Transaction): Transaction => ({
    ...transaction,
    statements: transaction.statements.filter(({ sql }) => write(sql)),
  });
  const connected: Database = {
    ...db,
    all: (statement, stop) => db.all({ ...statement, sql: read(statement.sql) }, stop),
    transact: (statements, options) =>
      isDead ? new Promise<never>(() => undefined) : db.transact(statements, options),
    enqueue(transaction) {
      if (!isDead) db.enqueue(keep(transaction));
    },
    defer: (work) => db.defer({ collect: () => (isDead ? [] : work.collect().map(keep)) }),
  };
  return { db: connected, die: () => (isDead = true) };
}

function parts(text: string) {
  return [{ kind: "text", text } as const];
}

async function refusalOf(call: () => Promise<unknown>): Promise<string> {
  try {
    await call();
    return "";
  } catch (error) {
    return error instanceof DomainError ? error.reason : String(error);
  }
}

function saidIn(messages: readonly Pick<Message, "role" | "parts">[]): Said[] {
  return messages
    .filter(({ role }) => role === "user")
    .map(({ parts }) => {
      const part = parts.at(-1);
      return { text: part?.kind === "text" ? part.text : "", isFramed: parts.length > 1 };
    });
}

async function readEvents(log: ReturnType<typeof createEventLog>, sessionId: string): Promise<EventPayload[]> {
  const events: EventPayload[] = [];
  const { signal } = new AbortController();
  for await (const item of follow(log, { sessionId, afterSeq: 0, signal, clock: createFakeClock() })) {
    if ("entries" in item) {
      for (const entry of item.entries) {
        if ("payload" in entry) events.push(JSON.parse(Buffer.from(entry.payload).toString()) as EventPayload);
      }
    } else if (item.checkpoint.caughtUp) return events;
  }
  return events;
}
