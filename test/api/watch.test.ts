import { afterEach, expect, it } from "vitest";
import { createWatchedClock } from "./clock.ts";
import {
  createSession,
  kindsOf,
  noReaders,
  readUntil,
  refusalOf,
  replay,
  runTurn,
  text,
  textOf,
  toRefusal,
  watchUntil,
  type Seen,
  type StreamResponse,
} from "./observe.ts";
import { startUpstream, type Answer, type Upstream } from "./scripted-upstream.ts";
import { startTestEngine, type TestEngine, type TestEngineOptions } from "./test-engine.ts";

const engines: TestEngine[] = [];
const upstreams: Upstream[] = [];

afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.dispose();
  for (const upstream of upstreams.splice(0)) await upstream.close();
});

async function start(options?: TestEngineOptions): Promise<TestEngine> {
  const engine = await startTestEngine(options);
  engines.push(engine);
  return engine;
}

/** An upstream that says nothing until it is told to. */
async function holdUpstream(): Promise<{ upstream: Upstream; answer: Promise<Answer> }> {
  const { promise: answer, resolve } = Promise.withResolvers<Answer>();
  const upstream = await startUpstream((next) => resolve(next));
  upstreams.push(upstream);
  return { upstream, answer };
}

const isCaughtUp = (_seen: Seen, { payload }: StreamResponse): boolean =>
  payload.case === "checkpoint" && payload.value.caughtUp;

it("sends a checkpoint at once, on a log without events", async () => {
  const engine = await start();
  const { id: sessionId } = await createSession(engine);
  const { logEpoch } = await engine.engine.getInfo({});
  const seen = await readUntil(
    (signal) => engine.messages.watchSession({ sessionId }, { signal }),
    () => true,
  );
  expect(seen.events).toEqual([]);
  expect(seen.checkpoints).toMatchObject([{ lastSeq: 0n, caughtUp: true, logEpoch }]);
  await noReaders(engine);
});

it("sends a checkpoint first, then what is stored, then one that says it caught up", async () => {
  const engine = await start();
  const { id: sessionId } = await createSession(engine);
  await runTurn(engine, sessionId, "echo: one two");
  const order: string[] = [];
  const { events, checkpoints } = await readUntil(
    (signal) => engine.messages.watchSession({ sessionId }, { signal }),
    (seen, last) => {
      order.push(last.payload.case ?? "nothing");
      return isCaughtUp(seen, last);
    },
  );
  expect(order).toEqual(["checkpoint", ...events.map(() => "event"), "checkpoint"]);
  const lastSeq = events.at(-1)!.seq;
  expect(checkpoints).toMatchObject([
    { caughtUp: false, lastSeq },
    { caughtUp: true, lastSeq },
  ]);
  const seqs = events.map(({ seq }) => seq);
  expect(seqs).toEqual(seqs.toSorted((a, b) => Number(a - b)));
  expect(new Set(seqs).size).toBe(seqs.length);
  expect(kindsOf(events).at(-1)).toBe("turnEnded");
});

it("begins after after_seq, at every place of the log", async () => {
  const engine = await start();
  const { id: sessionId } = await createSession(engine);
  await runTurn(engine, sessionId, "what time is it?");
  await engine.sessions.updateSession({ sessionId, title: "later" });
  const all = await replay(engine, sessionId);
  for (const { seq } of all) {
    const rest = await replay(engine, sessionId, seq);
    expect(rest.filter((event) => event.seq <= seq)).toEqual([]);
    // Deltas may come merged; everything else is the same.
    const facts = (events: typeof all) => events.filter(({ payload }) => payload.case !== "textDelta");
    expect(facts(rest)).toEqual(facts(all.filter((event) => event.seq > seq)));
  }
});

it("refuses a place beyond the end, another log and an unknown session", async () => {
  const engine = await start();
  const { id: sessionId } = await createSession(engine);
  await engine.sessions.updateSession({ sessionId, title: "t" });
  const watch = (request: object) =>
    refusalOf(readUntil((signal) => engine.messages.watchSession(request, { signal })));
  expect(await watch({ sessionId, afterSeq: 2n })).toMatchObject({
    code: "OUT_OF_RANGE",
    reason: "SEQ_AHEAD",
    metadata: { session_id: sessionId, last_seq: "1" },
  });
  expect(await watch({ sessionId, afterSeq: 2n ** 63n - 1n })).toMatchObject({
    code: "OUT_OF_RANGE",
    reason: "SEQ_AHEAD",
  });
  const { logEpoch } = await engine.engine.getInfo({});
  expect(await watch({ sessionId, logEpoch: "another" })).toMatchObject({
    code: "OUT_OF_RANGE",
    reason: "LOG_CHANGED",
    metadata: { log_epoch: logEpoch },
  });
  expect(await watch({ sessionId: "ses_none" })).toMatchObject({ code: "NOT_FOUND", reason: "SESSION_NOT_FOUND" });
  const seen = await readUntil(
    (signal) => engine.messages.watchSession({ sessionId, afterSeq: 1n, logEpoch }, { signal }),
    isCaughtUp,
  );
  expect(seen.events).toEqual([]);
  await noReaders(engine);
});

it("shows every watcher the same facts while they happen", async () => {
  const { upstream, answer } = await holdUpstream();
  const engine = await start({ openai: upstream.url });
  const { id: sessionId } = await createSession(engine);
  const watchers = Array.from({ length: 8 }, () =>
    watchUntil(engine, sessionId, ({ payload }) => payload.case === "turnEnded"),
  );
  await engine.messages.startTurn({ sessionId, parts: text("go") });
  const { text: say, end } = await answer;
  for (const piece of ["a", "b", "c"]) say(piece);
  end();
  const seen = await Promise.all(watchers);
  for (const { events } of seen) {
    const said = events.map(({ payload }) => (payload.case === "textDelta" ? payload.value.text : "")).join("");
    expect(said).toBe("abc");
    expect(kindsOf(events).filter((kind) => kind !== "textDelta")).toEqual([
      "turnStarted",
      "messageCompleted",
      "stepStarted",
      "messageStarted",
      "messageCompleted",
      "usageReported",
      "turnEnded",
    ]);
  }
  await noReaders(engine);
});

it("sends a heartbeat after each 15 seconds of silence, and none before", async () => {
  const clock = createWatchedClock();
  const engine = await start({ parts: { clock } });
  const { id: sessionId } = await createSession(engine);
  await engine.sessions.updateSession({ sessionId, title: "t" });
  const controller = new AbortController();
  const stream = engine.messages.watchSession({ sessionId, afterSeq: 1n }, { signal: controller.signal });
  const messages = stream[Symbol.asyncIterator]();
  expect((await messages.next()).value?.payload).toMatchObject({
    case: "checkpoint",
    value: { lastSeq: 1n, caughtUp: true },
  });
  for (let i = 0; i < 3; i++) {
    await clock.whenSet(15_000);
    let hasCome = false;
    const next = messages.next().finally(() => (hasCome = true));
    await clock.advance(14_999);
    await engine.engine.getInfo({});
    expect(hasCome).toBe(false);
    await clock.advance(1);
    expect((await next).value?.payload).toMatchObject({ case: "checkpoint", value: { lastSeq: 1n, caughtUp: true } });
  }
  await clock.whenSet(15_000);
  await clock.advance(10_000);
  const event = messages.next();
  await engine.sessions.updateSession({ sessionId, title: "u" });
  expect((await event).value?.payload).toMatchObject({ case: "event", value: { seq: 2n } });
  await clock.whenSet(15_000);
  const beat = messages.next();
  await clock.advance(15_000);
  expect((await beat).value?.payload).toMatchObject({ case: "checkpoint", value: { lastSeq: 2n } });
  controller.abort();
  await noReaders(engine);
});

it("ends watchers when the session is deleted", async () => {
  const engine = await start();
  const { id: sessionId } = await createSession(engine);
  const ended: Promise<unknown>[] = [];
  for (let i = 0; i < 3; i++) {
    const caughtUp = Promise.withResolvers<void>();
    const opened = readUntil(
      (signal) => engine.messages.watchSession({ sessionId }, { signal }),
      () => (caughtUp.resolve(), false),
    );
    ended.push(refusalOf(opened));
    await caughtUp.promise;
  }
  await engine.sessions.deleteSession({ sessionId });
  for (const refusal of await Promise.all(ended)) {
    expect(refusal).toMatchObject({ code: "NOT_FOUND", reason: "SESSION_DELETED" });
  }
  await noReaders(engine);
});

it("ends watchers and senders when the engine stops, and the log goes on after it", async () => {
  const { upstream, answer } = await holdUpstream();
  const engine = await start({ openai: upstream.url });
  const { id: idle } = await createSession(engine);
  const { id: busy } = await createSession(engine);
  const opened = Promise.withResolvers<void>();
  const watching = readUntil(
    (signal) => engine.messages.watchSession({ sessionId: idle }, { signal }),
    () => (opened.resolve(), false),
  );
  const sending = readUntil((signal) =>
    engine.messages.sendMessage({ sessionId: busy, parts: text("go") }, { signal }),
  );
  const refusals = [watching, sending].map((stream) => stream.then(() => "ended", toRefusal));
  await opened.promise;
  (await answer).text("half");
  await watchUntil(engine, busy, ({ payload }) => payload.case === "textDelta");
  await engine.stop();
  for (const refusal of await Promise.all(refusals)) {
    expect(refusal).toMatchObject({ code: "UNAVAILABLE", reason: "ENGINE_STOPPING" });
  }
  const again = await engine.restart();
  engines.push(again);
  const events = await replay(again, busy);
  const message = events.findLast(({ payload }) => payload.case === "messageCompleted")?.payload;
  expect(message?.case === "messageCompleted" && textOf(message.value.message)).toBe("half");
  expect(events.at(-1)?.payload).toMatchObject({
    case: "turnEnded",
    value: { reason: 5, error: { reason: "ENGINE_STOPPED", retryable: true } },
  });
  const before = events.at(-1)!.seq;
  upstream.script((next) => (next.text("whole"), next.end()));
  const turn = await again.messages.retryTurn({ sessionId: busy });
  expect(turn.turn?.firstSeq).toBe(before + 1n);
});
