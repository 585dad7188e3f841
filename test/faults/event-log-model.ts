import * as fc from "fast-check";
import { deleteDeltas, selectDeltas, type DeltaRow } from "../../src/event/delta-table.ts";
import { type DeltaKind, type EventPayload, type LogEntry, targetOf } from "../../src/event/event.ts";
import { createEventLog, type EventLog } from "../../src/event/event-log.ts";
import { DomainError } from "../../src/errors.ts";
import type { Message } from "../../src/message/message.ts";
import { insertSession } from "../../src/session/session-store.ts";
import type { Database, Statement, Transaction } from "../../src/store/database.ts";
import { openSqlite } from "../../src/store/sqlite.ts";
import { DEFAULT_LIMITS } from "../../src/turn/turn.ts";
import { createFakeClock, type FakeClock } from "../helpers/fake-clock.ts";
import { control, type Figure, none } from "./figure.ts";

// The event log against a model that is only a list: what commits said is stored, in order. Everything that the log adds to
// that (memory, merging, retention, queues, retries) must not be seen by its readers.

/** More facts than are kept in memory; see MAX_EVENTS_IN_MEMORY. */
const MANY = 600;
const SESSIONS = 2;
const READERS = 4;

/** What the log promises to go on showing after a message is whole; see RETAIN_DELTAS_MS. */
const RETAIN_MS = 60_000;

type Step =
  /** Facts, each of so many bytes, recorded at once with others that are under way. */
  | { readonly do: "facts"; readonly session: number; readonly count: number; readonly bytes: number }
  /** An append that finds its change of state taken by somebody else. */
  | { readonly do: "lose"; readonly session: number }
  | { readonly do: "start message"; readonly session: number; readonly text: string }
  | { readonly do: "text"; readonly session: number; readonly kind: DeltaKind; readonly text: string }
  | { readonly do: "end message"; readonly session: number }
  | { readonly do: "wait" }
  | { readonly do: "advance"; readonly ms: number }
  /** No page more: what fits into the pages there are is still stored. */
  | { readonly do: "fill disk" }
  /** Nothing is stored at all. */
  | { readonly do: "refuse" }
  | { readonly do: "free disk" }
  /** A reader begins somewhere between the beginning and the end, from 0 to 1. */
  | { readonly do: "open"; readonly reader: number; readonly session: number; readonly at: number }
  | { readonly do: "read"; readonly reader: number }
  | { readonly do: "kill" };

const session = fc.nat(SESSIONS - 1);
const reader = fc.nat(READERS - 1);
const text = fc.string({ unit: "grapheme", minLength: 1, maxLength: 8 });
const stepArbitrary: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("facts"),
      session,
      count: fc.constantFrom(1, 1, 2, 3, MANY),
      bytes: fc.constantFrom(10, 3000),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("lose"), session }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("start message"), session, text }) },
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant("text"),
      session,
      kind: fc.constantFrom("text", "text", "reasoning"),
      text,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("text"),
      session,
      kind: fc.constant("text"),
      text: fc.constant("🐦".repeat(40_000)),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("end message"), session }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant("wait") }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant("advance"), ms: fc.constantFrom(1, 15, 1000, 30_000, RETAIN_MS) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("fill disk") }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("refuse") }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("free disk") }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("open"), reader, session, at: fc.double({ min: 0, max: 1, noNaN: true }) }),
  },
  { weight: 12, arbitrary: fc.record({ do: fc.constant("read"), reader }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("kill") }) },
) as fc.Arbitrary<Step>;

/** One row that a commit brought to the store. */
type Row =
  | { readonly seq: number; readonly fact: string; readonly completes: string | undefined }
  | { readonly seq: number; readonly messageId: string; readonly kind: DeltaKind; readonly text: string };

interface ModelMessage {
  readonly id: string;
  /** All text that the log took, thoughts and answer apart. */
  readonly taken: Record<DeltaKind, string>;
  state: "starting" | "open" | "ending";
}

interface ModelSession {
  readonly id: string;
  readonly key: number;
  /** What is stored, by the word of the commits. */
  readonly rows: Row[];
  /** The one that is being made. */
  message: ModelMessage | undefined;
}

interface ModelReader {
  readonly session: ModelSession;
  cursor: number;
}

/** How the log is built on its store; a control builds it wrongly. */
export type Wiring = (transaction: Transaction) => Transaction;
const RIGHT: Wiring = (transaction) => transaction;
/** The guard off: tells the log that something is stored before it is. */
const PUBLISH_EARLY: Wiring = (transaction) => {
  transaction.settle(undefined);
  return { ...transaction, settle: () => undefined };
};
/** The guard off: a text that never reaches the store. */
const DROP_TEXT: Wiring = (transaction) => ({
  ...transaction,
  statements: transaction.statements.filter(({ sql }) => !sql.startsWith("INSERT INTO deltas") || Math.random() < 0.9),
});

/** Runs steps against log and model. Throws at the first difference. */
export async function runSteps(steps: readonly Step[], wiring: Wiring = RIGHT): Promise<void> {
  const world = await createWorld(wiring);
  try {
    for (const step of steps) {
      await take(world, step);
      if (world.broken !== undefined) throw world.broken;
    }
    await finish(world);
    if (world.broken !== undefined) throw world.broken;
  } finally {
    await world.close();
  }
}

interface World {
  readonly clock: FakeClock;
  readonly db: Database;
  readonly sessions: ModelSession[];
  readonly readers: (ModelReader | undefined)[];
  readonly waiting: Set<Promise<unknown>>;
  /** When each message was completed, on the clock; -Infinity where its deltas were dropped since then. */
  readonly completedAt: Map<string, number>;
  /** The first thing that went wrong where nobody waits for it. */
  broken: Error | undefined;
  /** Whether the disk takes nothing. */
  isRefusing: boolean;
  log: EventLog;
  /** Kills the engine that is, and recovers what it left as `recover.ts` does. */
  kill(): Promise<void>;
  /** Does something that must not throw where it is called. */
  guard(work: () => void): void;
  nextId(): string;
  close(): Promise<void>;
}

function encode(payload: EventPayload): Buffer {
  return Buffer.from(JSON.stringify(payload));
}

async function createWorld(wiring: Wiring): Promise<World> {
  const clock = createFakeClock();
  const db = openSqlite(":memory:", clock);
  const sessions: ModelSession[] = [];
  for (let i = 0; i < SESSIONS; i++) {
    const id = `ses_${i}`;
    const more = { starred: false, resumeAfterRestart: false, retryPartial: false, approvalMode: "default" as const };
    const settings = {
      title: "",
      profile: "p",
      model: "",
      systemPrompt: "",
      workspace: "",
      labels: {},
      limits: DEFAULT_LIMITS,
      ...more,
    };
    await db.transact(insertSession(id, settings, 0));
    sessions.push({ id, key: i + 1, rows: [], message: undefined });
  }
  const completedAt = new Map<string, number>();

  /** The store as one engine sees it: what is committed is also told to the model. */
  function connect(): { readonly db: Database; die(): void } {
    let isDead = false;
    const refuse = (transactions: readonly Transaction[]): void => {
      setImmediate(() => {
        for (const { settle } of transactions)
          if (!isDead) settle(new DomainError("exhausted", "STORAGE_FULL", "full"));
      });
    };
    const told = (transaction: Transaction): Transaction => {
      const wired = wiring(transaction);
      return {
        ...wired,
        settle(error) {
          if (error === undefined) world.guard(() => store(world, wired.statements));
          // A dead engine hears of nothing.
          if (!isDead) wired.settle(error);
        },
      };
    };
    return {
      db: {
        ...db,
        enqueue(transaction) {
          if (isDead) return;
          if (world.isRefusing) refuse([transaction]);
          else db.enqueue(told(transaction));
        },
        transact: (...args) => (isDead ? new Promise(() => undefined) : db.transact(...args)),
        defer: (work) =>
          db.defer({
            collect() {
              if (isDead) return [];
              const transactions = work.collect();
              if (!world.isRefusing) return transactions.map(told);
              refuse(transactions);
              return [];
            },
          }),
      },
      die() {
        isDead = true;
      },
    };
  }

  let connection = connect();
  let ids = 0;
  const world: World = {
    clock,
    db,
    sessions,
    readers: [],
    waiting: new Set(),
    completedAt,
    broken: undefined,
    isRefusing: false,
    guard(work) {
      try {
        work();
      } catch (error) {
        world.broken ??= error as Error;
      }
    },
    log: createEventLog(connection.db, encode, clock),
    nextId: () => `msg_${++ids}`,
    async kill() {
      connection.die();
      world.waiting.clear();
      // What was on its way to the disk arrives, and nobody is told.
      await settled();
      world.isRefusing = false;
      await freeDisk(db);
      connection = connect();
      const rows = await db.all<DeltaRow>(selectDeltas());
      for (const { session_key: key, seq } of rows) {
        await db.transact([
          { sql: "UPDATE sessions SET last_seq = max(last_seq, ?) WHERE key = ?", params: [seq, key] },
        ]);
      }
      world.log = createEventLog(connection.db, encode, clock);
      for (const one of sessions) await recover(world, one, rows);
      await db.transact([deleteDeltas()]);
      for (const id of completedAt.keys()) completedAt.set(id, -Infinity);
    },
    close: async () => {
      connection.die();
      await settled();
      await db.close();
    },
  };
  return world;
}

/** Takes the rows of a commit into the model. */
function store({ sessions, completedAt, clock }: World, statements: readonly Statement[]): void {
  for (const { sql, params } of statements) {
    if (sql.startsWith("INSERT INTO events")) {
      const [key, seq, , , , bytes] = params;
      const fact = Buffer.from(bytes as Uint8Array).toString();
      const payload = JSON.parse(fact) as EventPayload;
      const completes = payload.kind === "message_completed" ? payload.message.id : undefined;
      if (completes !== undefined) completedAt.set(completes, clock.monotonic());
      addRow(sessions, key as number, { seq: seq as number, fact, completes });
    } else if (sql.startsWith("INSERT INTO deltas")) {
      const [, key, seq, kind, messageId, said] = params;
      addRow(sessions, key as number, {
        seq: seq as number,
        messageId: messageId as string,
        kind: kind as DeltaKind,
        text: said as string,
      });
    }
  }
}

function addRow(sessions: readonly ModelSession[], key: number, row: Row): void {
  const rows = sessions.find((one) => one.key === key)?.rows ?? [];
  const expected = (rows.at(-1)?.seq ?? 0) + 1;
  if (row.seq !== expected) throw new Error(`stored number ${row.seq} where ${expected} is next`);
  rows.push(row);
}

async function recover(world: World, one: ModelSession, rows: readonly DeltaRow[]): Promise<void> {
  const { message } = one;
  one.message = undefined;
  const isStored =
    message !== undefined && one.rows.some((row) => "fact" in row && row.fact.includes(`"${message.id}"`));
  if (message === undefined || !isStored || world.completedAt.has(message.id)) return;
  const said = joinText(rows.filter(({ target }) => target === message.id));
  checkText(one, message.id, said);
  await world.log.append(one.id, { events: [completed(one, message.id, said)] });
}

function joinText(
  pieces: readonly { readonly kind: DeltaRow["kind"]; readonly text: string }[],
): Record<DeltaKind, string> {
  const joined = { text: "", reasoning: "" };
  for (const piece of pieces) if (piece.kind !== "output") joined[piece.kind] += piece.text;
  return joined;
}

/** All text of a message that was stored. */
function checkText({ rows }: ModelSession, messageId: string, said: Readonly<Record<DeltaKind, string>>): void {
  const stored = joinText(rows.flatMap((row) => ("fact" in row || row.messageId !== messageId ? [] : [row])));
  if (stored.text === said.text && stored.reasoning === said.reasoning) return;
  throw new Error(`the text of ${messageId} is not what was stored of it`);
}

function completed({ id: sessionId }: ModelSession, id: string, said: Record<DeltaKind, string>): EventPayload {
  const parts = (["reasoning", "text"] as const).map((kind) => ({ kind, text: said[kind] }));
  const message: Message = {
    id,
    sessionId,
    turnId: "",
    role: "assistant",
    status: "complete",
    parts,
    model: "",
    usage: undefined,
    createTimeMs: 0,
  };
  return { kind: "message_completed", message };
}

async function take(world: World, step: Step): Promise<void> {
  switch (step.do) {
    case "facts": {
      const one = at(world.sessions, step.session);
      const events = Array.from({ length: step.count }, () => fact(world, step.bytes));
      track(world, world.log.append(one.id, { events }), events, one);
      return;
    }
    case "lose": {
      const one = at(world.sessions, step.session);
      const taken = { sql: "UPDATE sessions SET title = '' WHERE id = 'nobody'", params: [], claim: "taken" };
      track(world, world.log.append(one.id, { events: [fact(world, 10)], changes: () => [taken] }), undefined, one);
      return;
    }
    case "start message":
      return startMessage(world, at(world.sessions, step.session), step.text);
    case "text":
      return addText(world, at(world.sessions, step.session), step.kind, step.text);
    case "end message":
      return endMessage(world, at(world.sessions, step.session));
    case "wait":
      return settled();
    case "advance":
      return world.clock.advance(step.ms);
    case "fill disk": {
      const [row] = await world.db.all<{ page_count: number }>({ sql: "PRAGMA page_count", params: [] });
      await world.db.all({ sql: `PRAGMA max_page_count = ${row?.page_count ?? 1}`, params: [] });
      return;
    }
    case "refuse":
      world.isRefusing = true;
      return;
    case "free disk":
      world.isRefusing = false;
      return freeDisk(world.db);
    case "open": {
      const one = at(world.sessions, step.session);
      const end = await world.log.end(one.id);
      world.readers[step.reader] = { session: one, cursor: Math.floor(step.at * end) };
      return;
    }
    case "read":
      await readPage(world, world.readers[step.reader]);
      return;
    case "kill":
      return world.kill();
  }
}

function fact(world: World, bytes: number): EventPayload {
  return { kind: "warning", reason: world.nextId(), message: "x".repeat(bytes) };
}

/** An append that is not waited for. What it says when it is answered is compared with what is stored. */
function track(
  world: World,
  append: ReturnType<EventLog["append"]>,
  events: readonly EventPayload[] | undefined,
  one: ModelSession,
): void {
  const { waiting } = world;
  const answered = append.then(
    ({ firstSeq }) => world.guard(() => checkAnswer(one, firstSeq, events)),
    (error: unknown) => {
      if (!["ClaimLost", "DomainError"].includes((error as Error).name)) world.broken ??= error as Error;
    },
  );
  waiting.add(answered);
}

function checkAnswer(one: ModelSession, firstSeq: number, events: readonly EventPayload[] | undefined): void {
  if (events === undefined) throw new Error("an append without its claim was stored");
  for (const [i, event] of events.entries()) {
    const row = one.rows[firstSeq - 1 + i];
    if (row !== undefined && "fact" in row && row.fact === encode(event).toString()) continue;
    throw new Error(`${firstSeq + i} was said to be stored and is not`);
  }
}

function startMessage(world: World, one: ModelSession, first: string): void {
  if (one.message !== undefined) return;
  const message: ModelMessage = { id: world.nextId(), taken: { text: first, reasoning: "" }, state: "starting" };
  one.message = message;
  const append = world.log.append(one.id, {
    events: [{ kind: "message_started", messageId: message.id, role: "assistant", model: "" }],
    delta: { kind: "text", messageId: message.id, text: first },
  });
  append.then(
    () => (message.state = "open"),
    () => {
      if (one.message === message) one.message = undefined;
    },
  );
  world.waiting.add(append.catch(() => undefined));
}

function addText(world: World, one: ModelSession, kind: DeltaKind, said: string): void {
  const { message } = one;
  if (message?.state !== "open") return;
  try {
    world.log.addDelta(one.id, "", { kind, messageId: message.id, text: said });
    message.taken[kind] += said;
  } catch (error) {
    // Where the disk refused text before, the next piece is refused to the model.
    if ((error as Error).name !== "DomainError") throw error;
  }
}

function endMessage(world: World, one: ModelSession): void {
  const { message } = one;
  if (message?.state !== "open") return;
  message.state = "ending";
  const append = world.log.append(one.id, { events: [completed(one, message.id, message.taken)] });
  append.then(
    () => {
      if (one.message !== message) return;
      one.message = undefined;
      // What the log took before its end is stored before its end.
      world.guard(() => checkText(one, message.id, message.taken));
    },
    () => (message.state = "open"),
  );
  world.waiting.add(append.catch(() => undefined));
}

/** Reads one page and compares it with what is stored. */
async function readPage(world: World, one: ModelReader | undefined): Promise<boolean> {
  if (one === undefined) return false;
  const { session: of, cursor } = one;
  const page = await world.log.readAfter(of.id, cursor);
  let last = cursor;
  for (const entry of page.entries) {
    checkEntry(world, of, entry, last);
    last = entry.seq;
  }
  if (page.cursor < last) throw new Error(`the cursor is ${page.cursor} after ${last} was read`);
  checkSkipped(world, of, last, page.cursor + 1);
  one.cursor = page.cursor;
  return page.cursor > cursor;
}

/** An entry is what is stored under its number, with all text of its part since the entry before. */
function checkEntry(world: World, of: ModelSession, entry: LogEntry, before: number): void {
  const row = of.rows[entry.seq - 1];
  if (entry.seq <= before) throw new Error(`${entry.seq} came after ${before}`);
  if (row === undefined) throw new Error(`${entry.seq} was shown and is not stored`);
  if ("payload" in entry) {
    if (!("fact" in row) || row.fact !== Buffer.from(entry.payload).toString())
      throw new Error(`${entry.seq} is not what is stored`);
    checkSkipped(world, of, before, entry.seq);
    return;
  }
  const { kind, text: said } = entry.delta;
  const messageId = targetOf(entry.delta);
  let stored = "";
  let from = entry.seq;
  for (let seq = entry.seq; seq > before; seq--) {
    const piece = of.rows[seq - 1];
    if (piece === undefined || "fact" in piece || piece.messageId !== messageId || piece.kind !== kind) break;
    // Merged up to a bound: what comes before it was in an entry of its own.
    if (stored.length + piece.text.length > said.length) break;
    stored = piece.text + stored;
    from = seq;
  }
  if (stored !== said) throw new Error(`${entry.seq} does not carry the text that is stored`);
  checkSkipped(world, of, before, from);
}

/** What lies between two numbers, without them, may be kept from a reader only if it is text of a message whose end follows. */
function checkSkipped(world: World, of: ModelSession, after: number, before: number): void {
  for (let seq = after + 1; seq < before; seq++) {
    const row = of.rows[seq - 1];
    if (row === undefined) continue;
    if ("fact" in row) throw new Error(`${seq} was skipped`);
    const completedAt = world.completedAt.get(row.messageId);
    if (completedAt === undefined) throw new Error(`the text ${seq} of an open message was skipped`);
    if (world.clock.monotonic() - completedAt < RETAIN_MS)
      throw new Error(`the text ${seq} was skipped ${world.clock.monotonic() - completedAt} ms after its message`);
  }
}

async function freeDisk(db: Database): Promise<void> {
  await db.all({ sql: "PRAGMA max_page_count = 1000000000", params: [] });
}

/** Everything that waits for nothing but its turn has had it; what was asked is answered. */
async function settled(): Promise<void> {
  for (let i = 0; i < 4; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** With room on the disk all is answered, all messages can be ended, and every reader comes to the same end. */
async function finish(world: World): Promise<void> {
  world.isRefusing = false;
  await freeDisk(world.db);
  await world.clock.advance(1000);
  for (const one of world.sessions) endMessage(world, one);
  await world.clock.advance(1000);
  await Promise.all(world.waiting);
  for (const one of world.sessions) {
    if (one.message !== undefined) throw new Error(`message ${one.message.id} could not be ended`);
    const fresh: ModelReader = { session: one, cursor: 0 };
    for (const each of [fresh, ...world.readers]) {
      if (each?.session !== one) continue;
      while (await readPage(world, each));
      if (each.cursor !== one.rows.length) throw new Error(`a reader ends at ${each.cursor} of ${one.rows.length}`);
    }
  }
}

function at(sessions: readonly ModelSession[], i: number): ModelSession {
  const one = sessions[i];
  if (one === undefined) throw new Error("no such session");
  return one;
}

const STEPS_PER_RUN = 200;

/** So many random steps find no difference; a log on a store that breaks its word is found out. */
export async function eventLogModel(steps: number): Promise<Figure[]> {
  const right = await checkRuns(steps, RIGHT);
  if (right.report !== undefined) console.log(right.report);
  const early = await checkRuns(CONTROL_STEPS, PUBLISH_EARLY);
  const dropped = await checkRuns(CONTROL_STEPS, DROP_TEXT);
  return [
    none("event log: differences from its model", right.report === undefined ? 0 : 1, right.steps),
    control("event log, published before the commit", early.report === undefined ? 0 : 1, "difference"),
    control("event log, a text not stored", dropped.report === undefined ? 0 : 1, "difference"),
  ];
}

/** A control ends with what it finds; until then it has more steps, so that it is no matter of chance. */
const CONTROL_STEPS = 200_000;

/** Runs until so many steps are done or one of them fails; the report says how to repeat that. */
async function checkRuns(
  steps: number,
  wiring: Wiring,
): Promise<{ readonly steps: number; readonly report: string | undefined }> {
  const counter = { done: 0 };
  const lists = fc.array(stepArbitrary, { minLength: STEPS_PER_RUN / 2, maxLength: STEPS_PER_RUN });
  const property = fc.asyncProperty(lists, (list) => {
    counter.done += list.length;
    return runSteps(list, wiring);
  });
  while (counter.done < steps) {
    const result = await fc.check(property, { numRuns: 10, endOnFailure: wiring !== RIGHT });
    if (result.failed) return { steps: counter.done, report: fc.defaultReportMessage(result) };
  }
  return { steps: counter.done, report: undefined };
}
