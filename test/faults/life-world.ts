import { NO_PROCESSES } from "../helpers/no-processes.ts";
import { GIVEN_WORKSPACES } from "../helpers/given-workspaces.ts";
import { create } from "@bufbuild/protobuf";
import { GetSnapshotResponseSchema } from "../../gen/ts/parley/v1/session_service_pb.ts";
import { applyEvent, createTranscript, type Event, type Transcript } from "../../src/client/client.ts";
import { DomainError } from "../../src/errors.ts";
import { createEventLog, type EventLog } from "../../src/event/event-log.ts";
import { newId } from "../../src/id.ts";
import { createIdempotency } from "../../src/idempotency/idempotency.ts";
import { appendMessage } from "../../src/message/append-message.ts";
import { updateMessage } from "../../src/message/update-message.ts";
import { ModelError, type Model, type ModelEvent } from "../../src/model/model.ts";
import { createProfiles } from "../../src/profile/profile.ts";
import { encodePayload, entryToProto } from "../../src/rpc/event-codec.ts";
import { snapshotToProto } from "../../src/rpc/snapshot-proto.ts";
import { clearHistory } from "../../src/session/history/clear-history.ts";
import { createSession } from "../../src/session/create-session.ts";
import { deleteSession } from "../../src/session/delete-session.ts";
import { forkSession } from "../../src/session/history/fork-session.ts";
import { createRemovedSessions } from "../../src/session/removed-sessions.ts";
import { rewindSession } from "../../src/session/history/rewind-session.ts";
import { createSessionDrafts } from "../../src/session/session-draft.ts";
import { takeSnapshot, type Snapshot } from "../../src/session/snapshot.ts";
import type { Database, Transaction } from "../../src/store/database.ts";
import { openSqlite } from "../../src/store/sqlite.ts";
import type { Tool } from "../../src/tool/tool.ts";
import { cancelTurn } from "../../src/turn/cancel-turn.ts";
import { recoverTurns } from "../../src/turn/recover.ts";
import { retryTurn, startTurn } from "../../src/turn/start-turn.ts";
import { createTurnRunner } from "../../src/turn/turn-runner.ts";
import { findTurn } from "../../src/turn/turn-store.ts";
import { DEFAULT_LIMITS } from "../../src/turn/turn.ts";
import { createGate } from "../helpers/gate.ts";
import { createFakeClock, type FakeClock } from "../helpers/fake-clock.ts";
import { NO_SOURCES } from "../helpers/no-sources.ts";
import { NO_TITLES } from "../helpers/no-titles.ts";

/** Which statements a store writes; one that leaves some out is found out. */
export type KeepSql = (sql: string) => boolean;

/** What became of a call: the reason of its refusal, or what it made. */
export type Outcome<T> = { readonly refused: string } | { readonly made: T };

/** A session as a client sees it that took a snapshot once and has watched since then. */
export interface WatchedPicture {
  readonly sessionId: string;
  readonly transcript: Transcript;
  /** Whether it began with all messages, not with the newest only. */
  readonly isWhole: boolean;
  readonly events: Event[];
  cursor: number;
}

/** Time passes here without anything being said. */
const HOUR_MS = 3_600_000;
const NO_LIMITS = {
  ...DEFAULT_LIMITS,
  maxSteps: 1000,
  maxWorkingTimeMs: 1000 * HOUR_MS,
  maxSilenceMs: 1000 * HOUR_MS,
  maxSilenceBeforeFirstMs: 1000 * HOUR_MS,
};

const SETTINGS = {
  title: "",
  profile: "",
  model: "",
  systemPrompt: "",
  workspace: "",
  labels: {},
  limits: NO_LIMITS,
  starred: false,
  resumeAfterRestart: false,
  retryPartial: false,
  approvalMode: "default",
} as const;

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

/** What has not come so far after so many rounds of the event loop never will. */
const MAX_ROUNDS = 3000;

export type LifeWorld = Awaited<ReturnType<typeof createLifeWorld>>;

/** Sessions in an engine whose model does what it is told, when it is told. */
export async function createLifeWorld(keep: KeepSql) {
  const clock = createFakeClock();
  const store = openSqlite(":memory:", clock);
  const told = createToldModel();
  const bugs: string[] = [];
  const build = () => {
    const { db, die } = connect(store, keep);
    return { ...createEngine(db, told.model, clock, bugs), die, workspaces: GIVEN_WORKSPACES };
  };
  let engine = build();
  const actor = "me";
  const turn = { idempotencyKey: "", model: "", expectedTurnId: "", actor };

  return {
    bugs,
    told,
    create: async () => (await createSession(engine, { idempotencyKey: "", settings: SETTINGS })).id,
    append: (sessionId: string, role: "user" | "assistant" | "system", text: string) =>
      outcomeOf(() => appendMessage(engine, { sessionId, idempotencyKey: "", role, parts: parts(text), actor })),
    update: (sessionId: string, messageId: string, text: string) =>
      outcomeOf(() => updateMessage(engine, { sessionId, messageId, parts: parts(text), actor })),
    rewind: (sessionId: string, messageId: string) =>
      outcomeOf(() => rewindSession(engine, { sessionId, messageId, actor })),
    clear: (sessionId: string) => outcomeOf(() => clearHistory(engine, { sessionId, actor })),
    start: (sessionId: string, text: string) =>
      outcomeOf(() => startTurn(engine, { ...turn, sessionId, parts: parts(text) })),
    retry: (sessionId: string) => outcomeOf(() => retryTurn(engine, { ...turn, sessionId })),
    cancel: (sessionId: string) => outcomeOf(() => cancelTurn(engine, { sessionId, turnId: "", waitMs: 1000 })),
    fork: (sessionId: string, beforeMessageId: string) =>
      outcomeOf(() => forkSession(engine, { sessionId, idempotencyKey: "", beforeMessageId, title: undefined, actor })),
    delete: (sessionId: string) => outcomeOf(() => deleteSession(engine, sessionId, "")),
    snapshot: (sessionId: string, maxMessages = 1000) => takeSnapshot(engine, { sessionId, maxMessages }),
    findTurn: (sessionId: string, turnId: string) => findTurn(store, sessionId, turnId),
    openPicture: async (sessionId: string, maxMessages: number): Promise<WatchedPicture> => {
      const snapshot = await takeSnapshot(engine, { sessionId, maxMessages });
      const shown = create(GetSnapshotResponseSchema, snapshotToProto(snapshot, { profiles, logEpoch: "" }));
      return {
        sessionId,
        transcript: createTranscript(shown),
        isWhole: !snapshot.hasOlder,
        events: [],
        cursor: snapshot.lastSeq,
      };
    },
    /** One that has watched from the beginning. */
    openLog: (sessionId: string): WatchedPicture => ({
      sessionId,
      transcript: createTranscript(),
      isWhole: true,
      events: [],
      cursor: 0,
    }),
    catchUp: (picture: WatchedPicture) => catchUp(engine.log, picture),
    advance: (ms: number) => clock.advance(ms),
    /** The engine is no more, and another one takes up what it left. */
    async restart() {
      engine.die();
      // What it had handed over is written before the next one looks.
      await store.transact([{ sql: "UPDATE meta SET value = value", params: [] }]);
      engine = build();
      await recoverTurns(engine, engine.runner);
      engine.removed.sweep();
    },
    /** Waits until a session is as it is waited for. */
    async settle(sessionId: string, isSo: (snapshot: Snapshot) => boolean) {
      for (let round = 0; round < MAX_ROUNDS; round++) {
        const snapshot = await takeSnapshot(engine, { sessionId, maxMessages: 1 });
        if (isSo(snapshot)) return;
        await new Promise((resolve) => setImmediate(resolve));
        if (round % 10 === 9) await clock.advance(1);
      }
      throw new Error(`session ${sessionId} never comes to where it should`);
    },
    /** Waits until what was removed is gone, and counts what is left. */
    async countRows(table: "events" | "messages" | "turns" | "tool_calls"): Promise<number> {
      for (let round = 0; round < MAX_ROUNDS; round++) {
        const waiting = (await rowsOf(store, "removed_sessions")) + (await rowsOf(store, "removed_ranges"));
        if (waiting === 0) return rowsOf(store, table);
        await clock.advance(10);
      }
      throw new Error("what was removed is never gone");
    },
    async close() {
      await engine.runner.stopAll();
      await engine.removed.close();
      await engine.log.close();
      await store.close();
    },
  };
}

async function rowsOf(db: Database, table: string): Promise<number> {
  const row = await db.get<{ rows: number }>({ sql: `SELECT count(*) AS rows FROM ${table}`, params: [] });
  return row?.rows ?? 0;
}

function createEngine(db: Database, model: Model, clock: FakeClock, bugs: string[]) {
  const log = createEventLog(db, encodePayload, clock);
  const idempotency = createIdempotency(db, clock);
  const models = { acquire: () => ({ model, release: () => undefined }), close: () => Promise.resolve() };
  const onBug = (what: string, error: unknown): void => void bugs.push(`${what}: ${String(error)}`);
  const removed = createRemovedSessions(db, onBug, clock);
  const gate = createGate();
  const { bells } = gate;
  const parts = { models, titles: NO_TITLES, ...NO_SOURCES, ...gate, tools: [echo] };
  const base = { db, log, clock, newId, profiles, ...parts, random: () => 0, onBug, idempotency };
  const runner = createTurnRunner(base);
  const deps = {
    ...base,
    processes: NO_PROCESSES,
    removed,
    runner,
    bells,
    encode: encodePayload,
    checkRunning: () => undefined,
  };
  const stopTurn = (sessionId: string, turnId: string) => cancelTurn(deps, { sessionId, turnId, waitMs: 1000 });
  return { ...deps, stopTurn, endProcesses: async () => {}, drafts: createSessionDrafts(deps) };
}

/** Takes up all that the log has more. */
async function catchUp(log: EventLog, picture: WatchedPicture): Promise<void> {
  for (;;) {
    const page = await log.readAfter(picture.sessionId, picture.cursor);
    for (const entry of page.entries) {
      if (entry.seq <= picture.cursor) throw new Error(`${entry.seq} came after ${picture.cursor}`);
      const event = entryToProto(entry);
      picture.events.push(event);
      applyEvent(picture.transcript, event);
    }
    if (page.cursor === picture.cursor) return;
    picture.cursor = page.cursor;
  }
}

/** A model that begins to speak and waits to be told how it goes on. */
function createToldModel() {
  let calls = 0;
  let waiting: ((events: readonly ModelEvent[] | Error) => void) | undefined;
  const model: Model = {
    async *stream(_request, signal) {
      const call = ++calls;
      const next = new Promise<readonly ModelEvent[] | Error>((resolve, reject) => {
        waiting = resolve;
        signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
      });
      // It may be aborted while nobody asks for more.
      next.catch(() => undefined);
      yield { kind: "text", text: `say ${call};` };
      const events = await next;
      if (events instanceof Error) throw events;
      yield* events;
    },
    close: () => Promise.resolve(),
  };
  const call = { kind: "tool_call", providerCallId: "p", name: "echo", argumentsJson: "{}" } as const;
  const does = {
    answer: [
      { kind: "text", text: " done" },
      { kind: "stop", reason: "end" },
    ],
    "call tool": [call, { kind: "stop", reason: "tool_calls" }],
    fail: new ModelError("PROVIDER_REFUSED", "no", { retryable: false }),
  } as const;
  return {
    model,
    /** How often it was called. */
    calls: () => calls,
    do(what: keyof typeof does) {
      waiting?.(does[what]);
      waiting = undefined;
    },
  };
}

/** The store as one engine sees it; what a dead engine still has to say never reaches it. */
function connect(db: Database, keep: KeepSql) {
  let isDead = false;
  const kept = (transaction: Transaction): Transaction => ({
    ...transaction,
    statements: transaction.statements.filter(({ sql }) => keep(sql)),
  });
  const connected: Database = {
    ...db,
    transact: (statements, options) =>
      isDead ? new Promise<never>(() => undefined) : db.transact(statements, options),
    enqueue(transaction) {
      if (!isDead) db.enqueue(kept(transaction));
    },
    defer: (work) => db.defer({ collect: () => (isDead ? [] : work.collect().map(kept)) }),
  };
  return { db: connected, die: () => (isDead = true) };
}

function parts(text: string) {
  return [{ kind: "text", text } as const];
}

async function outcomeOf<T>(call: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return { made: await call() };
  } catch (error) {
    return { refused: error instanceof DomainError ? error.reason : String(error) };
  }
}
