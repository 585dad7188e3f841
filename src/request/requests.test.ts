import { afterEach, expect, test } from "vitest";
import { createFakeClock } from "../../test/helpers/fake-clock.ts";
import type { DomainError } from "../errors.ts";
import { createEventLog } from "../event/event-log.ts";
import type { EventPayload } from "../event/event.ts";
import { newId } from "../id.ts";
import { createIdempotency } from "../idempotency/idempotency.ts";
import { createRemovedSessions } from "../session/removed-sessions.ts";
import { deleteSession } from "../session/delete-session.ts";
import { getSession, insertSession } from "../session/session-store.ts";
import type { Database } from "../store/database.ts";
import { openSqlite } from "../store/sqlite.ts";
import { DEFAULT_LIMITS } from "../turn/turn.ts";
import { awaitRequest } from "./await-request.ts";
import { claimRequest } from "./claim-request.ts";
import { createRequest, type CreateRequest } from "./create-request.ts";
import { createExpiry } from "./expire-requests.ts";
import { listRequests, placeOfRequest, type RequestPlace } from "./list-requests.ts";
import { createRequestBells } from "./request-bells.ts";
import { countOpen, getRequest } from "./request-store.ts";
import { MAX_OPEN, type GivenAnswer, type Priority, type Question, type RequestState } from "./request.ts";
import { respondRequest } from "./respond-request.ts";
import { cancelRequest, dismissRequest } from "./withdraw-request.ts";

const SETTINGS = {
  title: "",
  profile: "p",
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
const QUESTION: CreateRequest["question"] = {
  sessionId: "",
  kind: "question",
  title: "which one?",
  body: "",
  context: undefined,
  options: [],
  form: undefined,
  priority: "normal",
  tags: [],
  defaultAnswer: undefined,
};
const YES: GivenAnswer = { kind: "text", text: "yes" };

const closers: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

interface Asked extends Partial<Omit<Question, "deadlineMs">> {
  readonly key?: string;
  readonly lifetimeMs?: number;
}

const wake = (): void => {};

/** What acts on requests, on an empty store unless one is given. */
async function setUp(db: Database = openSqlite(":memory:"), clock = createFakeClock()) {
  const told: EventPayload[] = [];
  const bugs: unknown[] = [];
  const encode = (payload: EventPayload): Uint8Array => {
    told.push(payload);
    return Buffer.from(JSON.stringify(payload));
  };
  const log = createEventLog(db, encode, clock);
  const bells = createRequestBells(clock);
  const onBug = (_what: string, error: unknown): void => void bugs.push(error);
  const expiry = createExpiry({ db, log, clock, bells, newId, wake, onBug });
  const removed = createRemovedSessions(db, onBug, clock);
  const deps = { db, log, clock, newId, idempotency: createIdempotency(db, clock), bells, wake, expiry };
  await expiry.start();
  const close = async (): Promise<void> => {
    await removed.close();
    await expiry.close();
    await log.close();
    expect(bugs).toEqual([]);
    expect(bells.count()).toBe(0);
  };
  closers.push(close, () => db.close());
  return {
    ...deps,
    told,
    newSession: async () => {
      const id = newId("ses");
      await db.transact(insertSession(id, SETTINGS, clock.now()));
      return id;
    },
    ask: ({ key = "", lifetimeMs, ...question }: Asked = {}) =>
      createRequest(deps, {
        idempotencyKey: key,
        question: { ...QUESTION, ...question },
        lifetimeMs,
        actor: "asker",
      }),
    get: (id: string) => getRequest(db, id),
    answer: (requestId: string, answer: GivenAnswer = YES, { actor = "human", key = "" } = {}) =>
      respondRequest(deps, { requestId, idempotencyKey: key, answer, actor }),
    dismiss: (requestId: string) => dismissRequest(deps, { requestId, reason: "no time", actor: "human" }),
    cancel: (requestId: string) => cancelRequest(deps, { requestId, reason: "found it", actor: "asker" }),
    claim: (requestId: string, actor: string, isClaimed = true, takesOver = false) =>
      claimRequest(deps, { requestId, isClaimed, takesOver, actor }),
    wait: (requestId: string, waitMs = 60_000, signal = new AbortController().signal) =>
      awaitRequest(deps, { requestId, waitMs, signal }),
    remove: (id: string) => {
      const titles = { drop: () => {} };
      return deleteSession(
        { ...deps, removed, titles, stopTurn: async () => {}, endProcesses: async () => {} },
        id,
        "human",
      );
    },
    waitingOn: async (id: string) => (await getSession(db, id)).waitingOn,
    close,
  };
}

test("a request of a session is an event of its log, and its session waits until its end, which is one, too", async () => {
  const engine = await setUp();
  const sessionId = await engine.newSession();
  const first = await engine.ask({ sessionId });
  const second = await engine.ask({ sessionId, lifetimeMs: 5000 });
  expect(await engine.waitingOn(sessionId)).toEqual({
    requestIds: [first.id, second.id],
    sinceMs: first.createTimeMs,
    deadlineMs: second.deadlineMs,
  });
  const answered = await engine.answer(first.id);
  expect(answered).toMatchObject({ state: "answered", answer: YES, answeredBy: "human" });
  expect(await engine.get(first.id)).toMatchObject({ ...answered, revision: expect.any(Number) as number });
  expect((await engine.waitingOn(sessionId))?.requestIds).toEqual([second.id]);
  await engine.dismiss(second.id);
  expect(await engine.waitingOn(sessionId)).toBeUndefined();
  expect(
    engine.told.map((event) => ("request" in event ? [event.kind, event.request.id, event.request.state] : [])),
  ).toEqual([
    ["request_opened", first.id, "open"],
    ["request_opened", second.id, "open"],
    ["request_resolved", first.id, "answered"],
    ["request_resolved", second.id, "dismissed"],
  ]);
  expect((await getSession(engine.db, sessionId)).lastSeq).toBe(4);
});

test.each(["with", "without"])(
  "of 8 answers at once to a request %s a session one wins, and the others are told who did",
  async (how) => {
    const engine = await setUp();
    const { id } = await engine.ask({ sessionId: how === "with" ? await engine.newSession() : "" });
    const names = Array.from({ length: 8 }, (_, i) => `human-${i}`);
    const outcomes = await Promise.allSettled(
      names.map((actor) => engine.answer(id, { kind: "text", text: actor }, { actor })),
    );
    const won = outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
    const lost = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason as unknown] : []));
    expect(won).toHaveLength(1);
    const { answeredBy } = won[0]!;
    expect(won[0]!.answer).toEqual({ kind: "text", text: answeredBy });
    expect(lost).toHaveLength(7);
    for (const error of lost) {
      expect(error).toMatchObject({
        reason: "ALREADY_RESOLVED",
        metadata: { answered_by: answeredBy, state: "ANSWERED" },
      });
    }
    expect(await engine.db.all({ sql: "SELECT seq FROM events", params: [] })).toHaveLength(how === "with" ? 2 : 0);
  },
);

test("the same key gets the first answer's outcome, before the state is looked at; with another answer it is refused", async () => {
  const engine = await setUp();
  const { id } = await engine.ask();
  const [first, again] = await Promise.all([1, 2].map(() => engine.answer(id, YES, { key: "k" })));
  expect(again).toMatchObject({ ...first, revision: expect.any(Number) as number });
  await expect(engine.answer(id, { kind: "text", text: "no" }, { key: "k" })).rejects.toMatchObject({
    reason: "IDEMPOTENCY_KEY_REUSED",
  });
  await expect(engine.answer(id, YES, { key: "other" })).rejects.toMatchObject({ reason: "ALREADY_RESOLVED" });
  // What lost is not remembered as if it had been done.
  await expect(engine.answer(id, YES, { key: "other" })).rejects.toMatchObject({ reason: "ALREADY_RESOLVED" });
});

test("the same key asks once; with another question it is refused", async () => {
  const engine = await setUp();
  const [first, again] = await Promise.all([1, 2].map(() => engine.ask({ key: "k" })));
  expect(again!.id).toBe(first!.id);
  expect(await countOpen(engine.db)).toBe(1);
  await engine.answer(first!.id);
  expect(await engine.ask({ key: "k" })).toMatchObject({ id: first!.id, state: "answered" });
  await expect(engine.ask({ key: "k", title: "other" })).rejects.toMatchObject({ reason: "IDEMPOTENCY_KEY_REUSED" });
});

test("every end is final", async () => {
  const engine = await setUp();
  const ends: readonly [RequestState, (id: string) => Promise<unknown>][] = [
    ["answered", (id) => engine.answer(id)],
    ["dismissed", engine.dismiss],
    ["cancelled", engine.cancel],
    ["expired", () => engine.clock.advance(1000)],
  ];
  for (const [state, end] of ends) {
    const { id } = await engine.ask({ lifetimeMs: 1000 });
    await end(id);
    const ended = await engine.get(id);
    expect(ended.state).toBe(state);
    for (const again of [engine.answer(id), engine.dismiss(id), engine.cancel(id), engine.claim(id, "me")]) {
      await expect(again).rejects.toMatchObject({
        reason: "ALREADY_RESOLVED",
        metadata: { state: state.toUpperCase() },
      });
    }
    await engine.clock.advance(2000);
    expect(await engine.get(id)).toEqual(ended);
  }
});

test("who waits is told the end, whichever it is; who waits too long gets the request as it is", async () => {
  const engine = await setUp();
  const { id } = await engine.ask();
  const waiting = [engine.wait(id), engine.wait(id), engine.wait(id)];
  const brief = engine.wait(id, 10);
  await engine.clock.advance(10);
  expect(await brief).toMatchObject({ id, state: "open" });
  await engine.answer(id);
  for (const request of await Promise.all(waiting)) expect(request).toMatchObject({ state: "answered", answer: YES });
  expect(await engine.wait(id)).toMatchObject({ state: "answered" });
  await expect(engine.wait("req_none")).rejects.toMatchObject({ reason: "REQUEST_NOT_FOUND" });

  const controller = new AbortController();
  const { id: other } = await engine.ask();
  const left = engine.wait(other, 60_000, controller.signal);
  controller.abort(new Error("gone"));
  await expect(left).rejects.toThrow("gone");
  const stopped = engine.wait(other);
  engine.bells.stop(new Error("stopping"));
  await expect(stopped).rejects.toThrow("stopping");
  await expect(engine.wait(other)).rejects.toThrow("stopping");
  expect(engine.clock.timers()).toBe(0);
});

test("an answer in any moment of a wait's beginning is heard", async () => {
  const engine = await setUp();
  for (let steps = 0; steps < 40; steps++) {
    const { id } = await engine.ask();
    const answered = (async () => {
      for (let i = 0; i < steps; i++) await Promise.resolve();
      await engine.answer(id);
    })();
    expect(await engine.wait(id)).toMatchObject({ state: "answered" });
    await answered;
  }
});

test("a request expires at its deadline with its default answer, and one without a default with none", async () => {
  const engine = await setUp();
  const sessionId = await engine.newSession();
  const late = await engine.ask({ sessionId, lifetimeMs: 2000, defaultAnswer: YES });
  const soon = await engine.ask({ lifetimeMs: 1000 });
  const waiting = engine.wait(late.id);
  await engine.clock.advance(999);
  expect(await engine.get(soon.id)).toMatchObject({ state: "open" });
  await engine.clock.advance(1);
  expect(await engine.get(soon.id)).toMatchObject({ state: "expired", answer: undefined, answeredBy: "" });
  await engine.clock.advance(1000);
  expect(await waiting).toMatchObject({ state: "expired", answer: YES, endTimeMs: late.deadlineMs });
  expect(await engine.waitingOn(sessionId)).toBeUndefined();
  expect(engine.clock.timers()).toBe(0);
});

test("what expired while no engine ran has ended before the next one takes calls", async () => {
  const db = openSqlite(":memory:");
  const engine = await setUp(db);
  const sessionId = await engine.newSession();
  const due = await engine.ask({ sessionId, lifetimeMs: 1000, defaultAnswer: YES });
  const later = await engine.ask({ sessionId, lifetimeMs: 10_000 });
  await engine.close();
  const clock = createFakeClock(engine.clock.now() + 5000);
  const next = await setUp(db, clock);
  expect(await next.get(due.id)).toMatchObject({ state: "expired", answer: YES, endTimeMs: clock.now() });
  expect((await next.waitingOn(sessionId))?.requestIds).toEqual([later.id]);
  await clock.advance(5000);
  expect(await next.get(later.id)).toMatchObject({ state: "expired" });
});

test("an answer after the deadline is too late, also where the timer is", async () => {
  const engine = await setUp();
  const { id, deadlineMs } = await engine.ask({ lifetimeMs: 1000, defaultAnswer: YES });
  const now = engine.clock.now;
  engine.clock.now = () => deadlineMs!;
  await expect(engine.answer(id, { kind: "text", text: "no" })).rejects.toMatchObject({
    reason: "ALREADY_RESOLVED",
    metadata: { state: "EXPIRED", answered_by: "" },
  });
  engine.clock.now = now;
  await engine.clock.advance(1000);
});

test("a claim tells who means to answer, keeps nobody from it, and is taken from nobody unasked", async () => {
  const engine = await setUp();
  const { id } = await engine.ask();
  expect(await engine.claim(id, "a")).toMatchObject({ claimedBy: "a" });
  expect(await engine.claim(id, "a")).toMatchObject({ claimedBy: "a" });
  await expect(engine.claim(id, "b")).rejects.toMatchObject({
    reason: "ALREADY_CLAIMED",
    metadata: { claimed_by: "a" },
  });
  await expect(engine.claim(id, "b", false)).rejects.toMatchObject({ reason: "ALREADY_CLAIMED" });
  expect(await engine.claim(id, "b", true, true)).toMatchObject({ claimedBy: "b" });
  expect(await engine.claim(id, "b", false)).toMatchObject({ claimedBy: "" });
  const claims = await Promise.allSettled(["a", "b", "c"].map((actor) => engine.claim(id, actor)));
  expect(claims.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  expect(await engine.answer(id, YES, { actor: "d" })).toMatchObject({ answeredBy: "d" });
});

test("a session that is deleted cancels its requests and tells who waits; its ended ones go with it", async () => {
  const engine = await setUp();
  const sessionId = await engine.newSession();
  const ended = await engine.ask({ sessionId });
  await engine.answer(ended.id);
  const open = await engine.ask({ sessionId });
  const other = await engine.ask();
  const waiting = engine.wait(open.id);
  const answered = engine.answer(open.id).then(
    () => "answered",
    (error: unknown) => (error as DomainError).metadata["state"]?.toLowerCase(),
  );
  await engine.remove(sessionId);
  const { state } = await waiting;
  expect(["answered", "cancelled"]).toContain(state);
  expect(await answered).toBe(state);
  expect(await engine.get(other.id)).toMatchObject({ state: "open" });
  await expect(engine.ask({ sessionId })).rejects.toMatchObject({ reason: "SESSION_NOT_FOUND" });
});

test("requests that ended with their session are told of afterwards, and then removed", async () => {
  const engine = await setUp();
  const sessionId = await engine.newSession();
  const open = await engine.ask({ sessionId });
  await engine.remove(sessionId);
  expect(await engine.wait(open.id)).toMatchObject({ state: "cancelled", answeredBy: "human" });
  await expect(engine.answer(open.id)).rejects.toMatchObject({ reason: "ALREADY_RESOLVED" });
});

test("the list is in order of urgency, then of age, whatever is opened and ended between its pages", async () => {
  const engine = await setUp();
  const urgency: readonly Priority[] = ["normal", "urgent", "low", "high", "normal", "urgent", "low", "normal"];
  for (const [i, priority] of urgency.entries()) await engine.ask({ priority, title: `${priority} ${i}` });
  const filter = { sessionKey: undefined, states: ["open"], kinds: [] } as const;
  const seen: string[] = [];
  for (let after: RequestPlace | undefined; ;) {
    const page = await listRequests(engine.db, { filter, after, limit: 3, maxBytes: 1e6 });
    const last = page.at(-1);
    if (last === undefined) break;
    seen.push(...page.map(({ title }) => title));
    after = placeOfRequest(last);
    if (seen.length === 3) {
      await engine.ask({ priority: "urgent", title: "too late for its place" });
      await engine.answer(page[0]!.id);
    }
  }
  expect(seen).toEqual(["urgent 1", "urgent 5", "high 3", "normal 0", "normal 4", "normal 7", "low 2", "low 6"]);
});

test("a session has room for a number of open requests, and the refused one leaves nothing", async () => {
  const engine = await setUp();
  const sessionId = await engine.newSession();
  const asked = await Promise.allSettled(
    Array.from({ length: MAX_OPEN.session + 20 }, () => engine.ask({ sessionId })),
  );
  const refused = asked.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason as unknown] : []));
  expect(refused).toHaveLength(20);
  for (const error of refused) expect(error).toMatchObject({ code: "exhausted", reason: "TOO_MANY_REQUESTS" });
  expect((await engine.waitingOn(sessionId))?.requestIds).toHaveLength(MAX_OPEN.session);
  const [first] = (await engine.waitingOn(sessionId))!.requestIds;
  await engine.cancel(first!);
  await engine.ask({ sessionId });
  await engine.ask();
});
