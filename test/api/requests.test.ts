import type { MessageInitShape } from "@bufbuild/protobuf";
import { afterEach, expect, it } from "vitest";
import {
  Access_Scope,
  createClient,
  type CreateRequestRequestSchema,
  EngineTopic,
  type Request,
  RequestState,
  type WatchEngineResponse,
} from "../../src/client/client.ts";
import type { Clock } from "../../src/clock.ts";
import type { EngineParts } from "../../src/engine.ts";
import { createFakeClock } from "../helpers/fake-clock.ts";
import { createSession, noReaders, refusalOf, replay, runTurn, type Refusal } from "./observe.ts";
import { startTestEngine, type TestEngine } from "./test-engine.ts";

const engines: TestEngine[] = [];
afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.dispose();
});

async function start(parts: EngineParts = {}): Promise<TestEngine> {
  const engine = await startTestEngine({ parts });
  engines.push(engine);
  return engine;
}

async function ask(
  engine: TestEngine,
  question: MessageInitShape<typeof CreateRequestRequestSchema> = {},
): Promise<Request> {
  return (await engine.requests.createRequest({ title: "which one?", ...question })).request!;
}

function textAnswer(value: string) {
  return { content: { case: "text" as const, value } };
}

function answer(engine: Pick<TestEngine, "requests">, requestId: string, given: object = textAnswer("this")) {
  return engine.requests.respondRequest({ requestId, answer: given });
}

/** A dashboard: what is open, as it is told. */
function watch(engine: TestEngine, topics: EngineTopic[] = []) {
  const controller = new AbortController();
  const stream = engine.engine.watchEngine({ topics }, { signal: controller.signal })[Symbol.asyncIterator]();
  const open = new Map<string, Request>();
  const seen: string[] = [];
  const read = async (): Promise<void> => {
    const { payload } = ((await stream.next()) as IteratorYieldResult<WatchEngineResponse>).value;
    seen.push(payload.case ?? "");
    if (payload.case === "request") open.set(payload.value.id, payload.value);
    if (payload.case === "requestGone") open.delete(payload.value);
  };
  const until = async (isIt: () => boolean): Promise<void> => {
    while (!isIt()) await read();
  };
  return { open, seen, until, begin: () => until(() => seen.at(-1) === "caughtUp"), leave: () => controller.abort() };
}

it("a dashboard sees what is open, then each that is asked, claimed and ended, of sessions and of none", async () => {
  const engine = await start();
  const { id: sessionId } = await createSession(engine);
  const first = await ask(engine, { sessionId });
  const all = watch(engine);
  const requests = watch(engine, [EngineTopic.REQUESTS]);
  await all.begin();
  await requests.begin();
  expect(requests.seen).toEqual(["request", "caughtUp"]);
  expect(all.seen.toSorted()).toEqual(["caughtUp", "request", "session"]);
  const second = await ask(engine, { priority: 4 });
  await requests.until(() => requests.open.has(second.id));
  expect(requests.open.get(second.id)).toEqual(second);
  await engine.requests.claimRequest({ requestId: second.id, claimed: true });
  await requests.until(() => requests.open.get(second.id)?.claimedBy === "admin");
  await answer(engine, first.id);
  await engine.requests.dismissRequest({ requestId: second.id });
  await requests.until(() => requests.open.size === 0);
  await all.until(() => all.open.size === 0 && all.seen.filter((kind) => kind === "requestGone").length === 2);
  expect(requests.seen.filter((kind) => kind === "requestGone")).toHaveLength(2);
  expect(requests.seen).not.toContain("session");
  const sessions = watch(engine, [EngineTopic.SESSIONS]);
  await sessions.begin();
  expect(sessions.seen).toEqual(["session", "caughtUp"]);
  for (const watcher of [all, requests, sessions]) watcher.leave();
  await noReaders(engine);
});

it("a dashboard loses none of many that come and go, also together with their session", async () => {
  const engine = await start();
  const { id: sessionId } = await createSession(engine);
  const watcher = watch(engine, [EngineTopic.REQUESTS]);
  await watcher.begin();
  const kept = await Promise.all(Array.from({ length: 30 }, () => ask(engine, { body: "x".repeat(20_000) })));
  await Promise.all(Array.from({ length: 100 }, () => ask(engine, { sessionId })));
  await engine.sessions.deleteSession({ sessionId });
  const last = await ask(engine);
  await watcher.until(() => watcher.open.has(last.id) && watcher.open.size === 31);
  expect([...watcher.open.keys()].toSorted()).toEqual([...kept.map(({ id }) => id), last.id].toSorted());
  watcher.leave();
  await noReaders(engine);
});

it("what is open is in the snapshot, in the session and in the status, and is told again after a cut of the history", async () => {
  const engine = await start();
  const { id: sessionId } = await createSession(engine);
  await runTurn(engine, sessionId, "echo: hi");
  const ended = await ask(engine, { sessionId });
  const open = await ask(engine, { sessionId, lifetime: { seconds: 60n } });
  await answer(engine, ended.id);
  const snapshot = await engine.sessions.getSnapshot({ sessionId });
  expect(snapshot.requests).toEqual([open]);
  expect(snapshot.session?.waitingOn).toMatchObject({
    requestIds: [open.id],
    since: open.createTime!,
    deadline: open.deadline!,
  });
  expect((await engine.engine.getStatus({})).openRequests).toBe(1);
  await engine.sessions.clearHistory({ sessionId });
  const told = (await replay(engine, sessionId)).map(({ payload }) => payload);
  expect(told.map((payload) => payload.case)).toEqual(["historyCleared", "requestOpened", "sessionChanged"]);
  expect(told[1]?.value).toMatchObject({ request: open });
  expect(await engine.requests.listRequests({ sessionId })).toMatchObject({ requests: [open] });
  expect((await engine.requests.getRequest({ requestId: ended.id })).request?.state).toBe(RequestState.ANSWERED);
});

it("an engine that stops ends the waits, and the next one has what is open", async () => {
  const engine = await start();
  const open = await ask(engine, { form: { type: "object" }, context: { a: [1, "ü", null] } });
  const waiting = refusalOf(engine.requests.awaitRequest({ requestId: open.id, wait: { seconds: 60n } }));
  await engine.requests.getRequest({ requestId: open.id });
  const again = await engine.restart();
  engines.push(again);
  expect(await waiting).toMatchObject({ code: "UNAVAILABLE" });
  expect((await again.requests.listRequests({})).requests).toEqual([open]);
  const given = { content: { case: "form" as const, value: { a: "ok" } } };
  expect((await answer(again, open.id, given)).request).toMatchObject({ state: RequestState.ANSWERED, answer: given });
});

it("a wait ends before its caller's deadline, with the request as it is", async () => {
  const clock = createFakeClock();
  const waits: number[] = [];
  const after: Clock["after"] = (delayMs, callback) => {
    waits.push(delayMs);
    return clock.after(delayMs, callback);
  };
  const engine = await start({ clock: { ...clock, after } });
  const { id: requestId } = await ask(engine);
  const waiting = engine.requests.awaitRequest({ requestId, wait: { seconds: 120n } }, { timeoutMs: 100_000 });
  // Half a second less than the caller, who has waited for a while when the engine hears of it.
  const own = (): number[] => waits.filter((delayMs) => delayMs > 60_000 && delayMs <= 99_500);
  await expect.poll(own).toHaveLength(1);
  await clock.advance(own()[0]!);
  expect((await waiting).request?.state).toBe(RequestState.OPEN);
});

it("a wait of no time is answered with the request as it is", async () => {
  const engine = await start();
  const { id: requestId } = await ask(engine);
  expect((await engine.requests.awaitRequest({ requestId, wait: {} })).request?.state).toBe(RequestState.OPEN);
});

it("who ends a request is named by its token, and tokens that may only read end none", async () => {
  const engine = await start();
  const clientOf = async (name: string, scope: Access_Scope) => {
    const { secret } = await engine.engine.createToken({ name, scope });
    return createClient({ url: engine.url, token: secret });
  };
  const ada = await clientOf("ada", Access_Scope.OPERATE);
  const reader = await clientOf("reader", Access_Scope.READ);
  const { id: requestId } = await ask(engine);
  expect(await refusalOf(answer(reader, requestId))).toMatchObject({ reason: "SCOPE_INSUFFICIENT" });
  await answer(ada, requestId, textAnswer("naïve 😀 عربى"));
  expect((await reader.requests.awaitRequest({ requestId })).request).toMatchObject({
    answeredBy: "ada",
    createdBy: "admin",
    answer: textAnswer("naïve 😀 عربى"),
  });
  expect(await refusalOf(answer(engine, requestId))).toMatchObject({
    code: "FAILED_PRECONDITION",
    reason: "ALREADY_RESOLVED",
    metadata: { answered_by: "ada", state: "ANSWERED" },
  });
  for (const client of [ada, reader]) client.close();
});

const OPTIONS = ["a", "b"].map((id) => ({ id, label: id }));
const FORM = { type: "object", required: ["x"] };
const invalid = (reason: string, field: string): Partial<Refusal> => ({
  code: "INVALID_ARGUMENT",
  reason,
  metadata: expect.objectContaining({ field }) as Record<string, string>,
});

it.each<[what: string, question: object, refusal: Partial<Refusal>]>([
  ["a title of blanks", { title: " \n" }, invalid("INVALID_FIELD", "title")],
  ["an option twice", { options: [...OPTIONS, OPTIONS[0]] }, invalid("INVALID_FIELD", "options[2].id")],
  [
    "options that are too large together",
    { options: Array.from({ length: 50 }, (_, i) => ({ id: `${i}`, label: "x", description: "x".repeat(2000) })) },
    invalid("INVALID_FIELD", "options"),
  ],
  ["a form that is none", { form: { type: 7 } }, invalid("INVALID_FORM", "form")],
  ["a default that is no answer", { defaultAnswer: {} }, invalid("INVALID_ANSWER", "default_answer")],
  [
    "a default that is no option",
    { options: OPTIONS, defaultAnswer: { content: { case: "optionId", value: "c" } } },
    invalid("INVALID_ANSWER", "default_answer"),
  ],
  ["a session that is not there", { sessionId: "ses_none" }, { code: "NOT_FOUND", reason: "SESSION_NOT_FOUND" }],
])("%s is not asked", async (_what, question, refusal) => {
  const engine = await start();
  expect(await refusalOf(ask(engine, question))).toMatchObject(refusal);
  expect((await engine.requests.listRequests({})).requests).toEqual([]);
});

it.each<[what: string, question: object, given: object]>([
  ["nothing", {}, {}],
  ["blanks", {}, textAnswer("  ")],
  ["text where there are options", { options: OPTIONS }, textAnswer("a")],
  ["an option that there is not", { options: OPTIONS }, { content: { case: "optionId", value: "A" } }],
  ["an option where there are none", {}, { content: { case: "optionId", value: "a" } }],
  ["a form where there is none", {}, { content: { case: "form", value: { x: 1 } } }],
  ["text where there is a form", { form: FORM }, textAnswer("x")],
  ["a form that does not fit", { form: FORM }, { content: { case: "form", value: { y: 1 } } }],
])("%s is no answer, and leaves the request open", async (_what, question, given) => {
  const engine = await start();
  const asked = await ask(engine, question);
  expect(await refusalOf(answer(engine, asked.id, given))).toMatchObject(invalid("INVALID_ANSWER", "answer"));
  expect((await engine.requests.getRequest({ requestId: asked.id })).request).toEqual(asked);
});
