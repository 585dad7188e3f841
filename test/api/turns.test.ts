import { createClient } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  MessageService,
  ToolCallState,
  TurnEndReason,
  TurnState,
  type Event,
  type Turn,
} from "../../src/client/client.ts";
import type { Tool } from "../../src/tool/tool.ts";
import { createWatchedClock } from "./clock.ts";
import {
  createSession,
  endOf,
  kindsOf,
  listMessages,
  listTurns,
  noReaders,
  readUntil,
  refusalOf,
  replay,
  runTurn,
  stateOf,
  text,
  textOf,
  toRefusal,
  watchUntil,
} from "./observe.ts";
import { plainTransport } from "./methods.ts";
import { asksForNow, isValidHistory, says, startUpstream, type Answer, type Upstream } from "./scripted-upstream.ts";
import { startTestEngine, type TestEngine, type TestEngineOptions } from "./test-engine.ts";

let upstream: Upstream;
let engine: TestEngine;
const clock = createWatchedClock();

/** A tool that ends only when its turn is stopped. */
const hang: Tool = {
  name: "hang",
  description: "Hangs.",
  parameters: { type: "object" },
  run: (_args, { signal }) =>
    new Promise((_resolve, reject) =>
      signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true }),
    ),
};

async function start(parts: TestEngineOptions["parts"] = {}): Promise<void> {
  engine = await startTestEngine({ openai: upstream.url, parts: { random: () => 0, tools: [hang], ...parts } });
}

beforeEach(async () => {
  upstream = await startUpstream();
});

afterEach(async () => {
  await engine.dispose();
  await upstream.close();
});

const isEnd = ({ payload }: Event): boolean => payload.case === "turnEnded";

async function startTurn(sessionId: string, words = "go"): Promise<Turn> {
  return (await engine.messages.startTurn({ sessionId, parts: text(words) })).turn!;
}

/** Makes the upstream say something and then nothing more; the turn that asked is returned when its text is shown. */
async function startHalf(sessionId: string, said = "half"): Promise<Turn> {
  upstream.script((answer) => answer.text(said));
  const turn = await startTurn(sessionId);
  await watchUntil(engine, sessionId, ({ payload }) => payload.case === "textDelta", turn.firstSeq - 1n);
  return turn;
}

/** Every call that was asked for has exactly one end, and every turn exactly one. */
function expectClosed(events: readonly Event[]): void {
  const of = (kind: string): string[] =>
    events
      .flatMap(({ payload }) => (payload.case === kind && "callId" in payload.value ? [payload.value.callId] : []))
      .toSorted();
  expect(of("toolCallEnded")).toEqual(of("toolCallRequested"));
  const turnsOf = (kind: string): string[] =>
    events.filter(({ payload }) => payload.case === kind).map(({ turnId }) => turnId);
  expect(turnsOf("turnEnded")).toEqual(turnsOf("turnStarted"));
  const started = events.flatMap(({ payload }) => (payload.case === "messageStarted" ? [payload.value.messageId] : []));
  const completed = events.flatMap(({ payload }) =>
    payload.case === "messageCompleted" ? [payload.value.message!.id] : [],
  );
  expect(completed).toEqual(expect.arrayContaining(started));
  expect(new Set(completed).size).toBe(completed.length);
}

describe("one turn at a time", () => {
  it("one of twenty calls at once starts a turn; the others are told which", async () => {
    await start();
    const { id: sessionId } = await createSession(engine);
    upstream.script((answer) => answer.text("half"));
    const outcomes = await Promise.allSettled(Array.from({ length: 20 }, (_, i) => startTurn(sessionId, `${i}`)));
    const winners = outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value.id] : []));
    expect(winners).toHaveLength(1);
    const refusals = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [toRefusal(outcome.reason)] : []));
    const busy = {
      code: "FAILED_PRECONDITION",
      reason: "SESSION_BUSY",
      metadata: { session_id: sessionId, turn_id: winners[0] },
    };
    expect(refusals).toMatchObject(Array.from({ length: 19 }, () => busy));
    expect(await listTurns(engine, sessionId)).toHaveLength(1);
    expect(await listMessages(engine, sessionId)).toHaveLength(1);
    const { session } = await engine.sessions.getSession({ sessionId });
    expect(session?.runningTurnId).toBe(winners[0]);
  });

  it("while one runs, every way to start another is refused and changes nothing", async () => {
    await start();
    const { id: sessionId } = await createSession(engine);
    const turn = await startHalf(sessionId);
    const before = await stateOf(engine, sessionId);
    for (const call of [
      () => startTurn(sessionId),
      () => engine.messages.startTurn({ sessionId, parts: text("x"), idempotencyKey: "k", expectedTurnId: turn.id }),
      () => engine.messages.retryTurn({ sessionId }),
      () => engine.messages.retryTurn({ sessionId, expectedTurnId: turn.id }),
      () => readUntil((signal) => engine.messages.sendMessage({ sessionId, parts: text("x") }, { signal })),
    ]) {
      expect(await refusalOf(call())).toMatchObject({
        code: "FAILED_PRECONDITION",
        reason: "SESSION_BUSY",
        metadata: { turn_id: turn.id },
      });
    }
    expect(await stateOf(engine, sessionId)).toEqual(before);
    expect(upstream.requests).toHaveLength(1);
    await engine.messages.cancelTurn({ sessionId });
    // What was refused was not remembered.
    upstream.script((answer) => says(answer, "ok"));
    const again = await engine.messages.startTurn({
      sessionId,
      parts: text("x"),
      idempotencyKey: "k",
      expectedTurnId: turn.id,
    });
    expect((await endOf(engine, again.turn)).endReason).toBe(TurnEndReason.COMPLETED);
  });

  it("RetryTurn of many at once starts one", async () => {
    await start();
    const { id: sessionId } = await createSession(engine);
    upstream.script((answer) => answer.fail(401));
    await runTurn(engine, sessionId, "go");
    upstream.script((answer) => answer.text("half"));
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, () => engine.messages.retryTurn({ sessionId })),
    );
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    const refusals = outcomes.flatMap((outcome) =>
      outcome.status === "rejected" ? [toRefusal(outcome.reason).reason] : [],
    );
    // Who lost the race learns that a turn runs, or that the last one is another now.
    for (const reason of refusals) expect(["SESSION_BUSY", "TURN_CHANGED"]).toContain(reason);
    expect(await listTurns(engine, sessionId)).toHaveLength(2);
  });
});

describe("idempotency_key of a turn", () => {
  it("twenty StartTurns and SendMessages at once with one key are one turn, told to all", async () => {
    await start();
    const { id: sessionId } = await createSession(engine);
    const request = { sessionId, idempotencyKey: "k", parts: text("go") };
    const started = Array.from({ length: 10 }, async () => (await engine.messages.startTurn(request)).turn!.id);
    const sent = Array.from({ length: 10 }, () =>
      readUntil((signal) => engine.messages.sendMessage(request, { signal })),
    );
    const ids = new Set(await Promise.all(started));
    expect(ids.size).toBe(1);
    for (const { events } of await Promise.all(sent)) {
      expect(kindsOf(events)[0]).toBe("turnStarted");
      expect(kindsOf(events).at(-1)).toBe("turnEnded");
      const said = events.flatMap(({ payload }) =>
        payload.case === "messageCompleted" ? [textOf(payload.value.message)] : [],
      );
      expect(said).toEqual(["go", "Hello."]);
    }
    expect(upstream.requests).toHaveLength(1);
    expect(await listTurns(engine, sessionId)).toHaveLength(1);
    await noReaders(engine);
  });

  it("is remembered over a restart, with the turn as it is now", async () => {
    await start();
    const { id: sessionId } = await createSession(engine);
    const request = { sessionId, idempotencyKey: "k", parts: text("go") };
    const turn = await endOf(engine, (await engine.messages.startTurn(request)).turn);
    engine = await engine.restart();
    expect((await engine.messages.startTurn(request)).turn).toEqual(turn);
    expect(upstream.requests).toHaveLength(1);
    const { events } = await readUntil((signal) => engine.messages.sendMessage(request, { signal }));
    expect(kindsOf(events).at(-1)).toBe("turnEnded");
  });

  it("is forgotten after 24 hours", async () => {
    await start({ clock });
    const { id: sessionId } = await createSession(engine);
    const request = { sessionId, idempotencyKey: "k", parts: text("go") };
    const turn = await endOf(engine, (await engine.messages.startTurn(request)).turn);
    await clock.advance(24 * 60 * 60_000 - 60_000);
    expect((await engine.messages.startTurn(request)).turn?.id).toBe(turn.id);
    await clock.advance(120_000);
    const another = await endOf(engine, (await engine.messages.startTurn(request)).turn);
    expect(another.id).not.toBe(turn.id);
  });

  it.each([
    ["parts", { parts: text("other") }],
    ["parts cut otherwise", { parts: [...text("g"), ...text("o")] }],
    ["model", { model: "other" }],
    ["expected_turn_id", { expectedTurnId: "turn_other" }],
  ])("is refused with other %s, by both methods", async (_what, change) => {
    await start();
    const { id: sessionId } = await createSession(engine);
    const request = { sessionId, idempotencyKey: "k", parts: text("go") };
    await endOf(engine, (await engine.messages.startTurn(request)).turn);
    const before = await stateOf(engine, sessionId);
    const reused = { code: "ALREADY_EXISTS", reason: "IDEMPOTENCY_KEY_REUSED" };
    const other = { ...request, ...change };
    expect(await refusalOf(engine.messages.startTurn(other))).toMatchObject(reused);
    expect(await refusalOf(readUntil((signal) => engine.messages.sendMessage(other, { signal })))).toMatchObject(
      reused,
    );
    expect(await stateOf(engine, sessionId)).toEqual(before);
  });

  it("means something of its own in another session, and to RetryTurn", async () => {
    await start();
    const ids = new Set<string>();
    upstream.script((answer) => answer.fail(401));
    for (let i = 0; i < 2; i++) {
      const { id: sessionId } = await createSession(engine);
      const { turn } = await engine.messages.startTurn({ sessionId, idempotencyKey: "k", parts: text("go") });
      ids.add((await endOf(engine, turn)).id);
      const retries = await Promise.all(
        Array.from({ length: 20 }, () => engine.messages.retryTurn({ sessionId, idempotencyKey: "k" })),
      );
      for (const retry of retries) ids.add(retry.turn!.id);
      await endOf(engine, retries[0]?.turn);
    }
    expect(ids.size).toBe(4);
  });

  it("is looked up before the state is checked: a repetition is no second turn, even while the first runs", async () => {
    await start();
    const { id: sessionId } = await createSession(engine);
    upstream.script((answer) => answer.text("half"));
    const request = { sessionId, idempotencyKey: "k", parts: text("go") };
    const { turn } = await engine.messages.startTurn(request);
    expect((await engine.messages.startTurn(request)).turn).toMatchObject({ id: turn?.id, state: TurnState.RUNNING });
    const seen = await readUntil(
      (signal) => engine.messages.sendMessage(request, { signal }),
      (_seen, { payload }) => payload.case === "event" && payload.value.payload.case === "textDelta",
    );
    expect(seen.events[0]?.turnId).toBe(turn?.id);
  });
});

describe("expected_turn_id", () => {
  it("is the last turn, or nothing happens", async () => {
    await start();
    const { id: sessionId } = await createSession(engine);
    const changed = { code: "FAILED_PRECONDITION", reason: "TURN_CHANGED" };
    expect(
      await refusalOf(engine.messages.startTurn({ sessionId, parts: text("x"), expectedTurnId: "turn_none" })),
    ).toMatchObject({
      ...changed,
      metadata: { session_id: sessionId, turn_id: "" },
    });
    const first = await runTurn(engine, sessionId, "one");
    const second = await endOf(
      engine,
      (await engine.messages.startTurn({ sessionId, parts: text("two"), expectedTurnId: first.id })).turn,
    );
    const before = await stateOf(engine, sessionId);
    const stale = { sessionId, parts: text("x"), expectedTurnId: first.id };
    const metadata = { session_id: sessionId, turn_id: second.id };
    expect(await refusalOf(engine.messages.startTurn(stale))).toMatchObject({ ...changed, metadata });
    expect(await refusalOf(readUntil((signal) => engine.messages.sendMessage(stale, { signal })))).toMatchObject({
      ...changed,
      metadata,
    });
    expect(await stateOf(engine, sessionId)).toEqual(before);
  });

  it("guards RetryTurn too", async () => {
    await start();
    const { id: sessionId } = await createSession(engine);
    upstream.script((answer) => answer.fail(401));
    const first = await runTurn(engine, sessionId, "one");
    const { turn: second } = await engine.messages.retryTurn({ sessionId, expectedTurnId: first.id });
    await endOf(engine, second);
    expect(await refusalOf(engine.messages.retryTurn({ sessionId, expectedTurnId: first.id }))).toMatchObject({
      reason: "TURN_CHANGED",
      metadata: { turn_id: second?.id },
    });
  });
});

describe("CancelTurn", () => {
  it("ends a turn CANCELLED once, keeps what was shown, and is answered the same way however often", async () => {
    await start();
    const { id: sessionId } = await createSession(engine);
    const turn = await startHalf(sessionId);
    const calls = [{}, { turnId: turn.id }, {}, { turnId: turn.id }, { turnId: turn.id }];
    const answers = await Promise.allSettled(calls.map((call) => engine.messages.cancelTurn({ sessionId, ...call })));
    const turns = answers.flatMap((answer) => (answer.status === "fulfilled" ? [answer.value.turn] : []));
    const ended = { id: turn.id, state: TurnState.ENDED, endReason: TurnEndReason.CANCELLED };
    expect(turns).toMatchObject(turns.map(() => ended));
    // Who comes after the end and names no turn is told that none runs.
    const refusals = answers.flatMap((answer) =>
      answer.status === "rejected" ? [toRefusal(answer.reason).reason] : [],
    );
    expect(refusals).toEqual(refusals.map(() => "NO_TURN_RUNNING"));
    expect(answers[0]?.status).toBe("fulfilled");
    const events = await replay(engine, sessionId);
    expectClosed(events);
    expect(kindsOf(events).filter((kind) => kind !== "textDelta")).toEqual([
      "turnStarted",
      "messageCompleted",
      "stepStarted",
      "messageStarted",
      "messageCompleted",
      "usageReported",
      "turnEnded",
    ]);
    const messages = await listMessages(engine, sessionId);
    expect(messages.map((message) => [textOf(message), message.status])).toEqual([
      ["go", 1],
      ["half", 2],
    ]);
    while (upstream.open() > 0) await new Promise((resolve) => setImmediate(resolve));
    expect(await refusalOf(engine.messages.cancelTurn({ sessionId }))).toMatchObject({
      code: "FAILED_PRECONDITION",
      reason: "NO_TURN_RUNNING",
    });
    const again = await engine.messages.cancelTurn({ sessionId, turnId: turn.id });
    expect(again.turn).toMatchObject({ id: turn.id, endReason: TurnEndReason.CANCELLED });
    // The cancelled text is not sent to the model again.
    upstream.script((answer) => says(answer, "ok"));
    await runTurn(engine, sessionId, "next");
    expect(upstream.requests.at(-1)?.messages.map(({ role, content }) => [role, content])).toEqual([
      ["user", "go"],
      ["user", "next"],
    ]);
    expect(await replay(engine, sessionId).then((all) => all.slice(0, events.length))).toEqual(events);
  });

  it("is refused on an idle session, and changes nothing", async () => {
    await start();
    const { id: sessionId } = await createSession(engine);
    expect(await refusalOf(engine.messages.cancelTurn({ sessionId }))).toMatchObject({
      code: "FAILED_PRECONDITION",
      reason: "NO_TURN_RUNNING",
      metadata: { session_id: sessionId },
    });
    await runTurn(engine, sessionId, "go");
    const before = await stateOf(engine, sessionId);
    expect(await refusalOf(engine.messages.cancelTurn({ sessionId }))).toMatchObject({ reason: "NO_TURN_RUNNING" });
    const { turn } = await engine.messages.cancelTurn({ sessionId, turnId: before.turns[0]!.id });
    expect(turn?.endReason).toBe(TurnEndReason.COMPLETED);
    expect(await stateOf(engine, sessionId)).toEqual(before);
  });

  it("does not know a turn of another session", async () => {
    await start();
    const { id: mine } = await createSession(engine);
    const { id: theirs } = await createSession(engine);
    const turn = await startHalf(theirs);
    expect(await refusalOf(engine.messages.cancelTurn({ sessionId: mine, turnId: turn.id }))).toMatchObject({
      reason: "TURN_NOT_FOUND",
    });
    expect(await refusalOf(engine.messages.getTurn({ sessionId: mine, turnId: turn.id }))).toMatchObject({
      reason: "TURN_NOT_FOUND",
    });
    expect((await engine.messages.getTurn({ sessionId: theirs, turnId: turn.id })).turn?.state).toBe(TurnState.RUNNING);
  });

  it("closes tool calls that run and that were asked for, and the next call has a valid history", async () => {
    await start();
    const { id: sessionId } = await createSession(engine);
    upstream.script((answer) => {
      answer.text("let me see");
      answer.call("a", "hang", "{}");
      answer.call("b", "now", "{}");
      answer.call("c", "hang", '{"x":1}');
      answer.end("tool_calls");
    });
    const turn = await startTurn(sessionId);
    await watchUntil(engine, sessionId, ({ payload }) => payload.case === "toolCallEnded");
    await engine.messages.cancelTurn({ sessionId });
    const events = await replay(engine, sessionId);
    expectClosed(events);
    const ended = events.flatMap(({ payload }) => (payload.case === "toolCallEnded" ? [payload.value.state] : []));
    expect(ended.toSorted((a, b) => a - b)).toEqual([
      ToolCallState.SUCCEEDED,
      ToolCallState.CANCELLED,
      ToolCallState.CANCELLED,
    ]);
    expect(events.at(-1)?.payload).toMatchObject({ case: "turnEnded", value: { reason: TurnEndReason.CANCELLED } });
    upstream.script((answer) => says(answer, "ok"));
    await runTurn(engine, sessionId, "next");
    const { messages } = upstream.requests.at(-1)!;
    expect(isValidHistory(messages)).toBe(true);
    expect(messages.filter(({ role }) => role === "tool")).toHaveLength(3);
    expect(turn.id).not.toBe("");
  });

  it("at any moment of a turn that runs tools leaves everything closed and a valid history", async () => {
    await start();
    upstream.script((answer, _request, number) => {
      answer.text(`step ${number}`);
      asksForNow(answer, 3);
    });
    const { id: sessionId } = await createSession(engine, { limits: { maxSteps: 10_000 } });
    for (let place = 1; place <= 24; place++) {
      const turn = await startTurn(sessionId);
      let count = 0;
      await watchUntil(engine, sessionId, () => ++count === place, turn.firstSeq - 1n);
      const { turn: cancelled } = await engine.messages.cancelTurn({ sessionId });
      expect(cancelled).toMatchObject({ id: turn.id, endReason: TurnEndReason.CANCELLED });
    }
    expectClosed(await replay(engine, sessionId));
    for (const { messages } of upstream.requests) expect(isValidHistory(messages)).toBe(true);
    expect((await engine.engine.getStatus({})).runningTurns).toBe(0);
  });

  it("answers after wait with a turn that is still being stopped", async () => {
    let release: (() => void) | undefined;
    const deaf: Tool = {
      ...hang,
      name: "deaf",
      run: () => new Promise((resolve) => (release = () => resolve("done"))),
    };
    await start({ tools: [deaf] });
    const { id: sessionId } = await createSession(engine);
    upstream.script((answer) => (answer.call("a", "deaf", "{}"), answer.end("tool_calls")));
    await startTurn(sessionId);
    await watchUntil(engine, sessionId, ({ payload }) => payload.case === "toolCallStarted");
    // A tool that does not listen holds nobody up.
    const { turn } = await engine.messages.cancelTurn({ sessionId, wait: { seconds: 0n, nanos: 0 } });
    expect([TurnState.CANCELLING, TurnState.ENDED]).toContain(turn?.state);
    expect((await endOf(engine, turn)).endReason).toBe(TurnEndReason.CANCELLED);
    release?.();
    expectClosed(await replay(engine, sessionId));
  });
});

describe("RetryTurn", () => {
  it("goes on after a turn that failed, without a user message", async () => {
    await start();
    const { id: sessionId } = await createSession(engine);
    upstream.script((answer) => answer.fail(401));
    const failed = await runTurn(engine, sessionId, "go");
    expect(failed).toMatchObject({
      endReason: TurnEndReason.FAILED,
      error: { reason: "PROVIDER_UNAUTHORIZED", retryable: false },
    });
    upstream.script((answer) => says(answer, "now it works"));
    const { turn } = await engine.messages.retryTurn({ sessionId, model: "another" });
    expect(turn).toMatchObject({ model: "another", sessionId, steps: 0 });
    expect((await endOf(engine, turn)).endReason).toBe(TurnEndReason.COMPLETED);
    expect((await listMessages(engine, sessionId)).map(textOf)).toEqual(["go", "now it works"]);
    expect(upstream.requests.at(-1)).toMatchObject({ model: "another", messages: [{ role: "user", content: "go" }] });
    expect((await engine.sessions.getSession({ sessionId })).session?.model).toBe("scripted-1");
    expectClosed(await replay(engine, sessionId));
  });

  it("is refused before any turn and after one that completed", async () => {
    await start();
    const { id: sessionId } = await createSession(engine);
    const nothing = { code: "FAILED_PRECONDITION", reason: "NOTHING_TO_RETRY", metadata: { session_id: sessionId } };
    const empty = await stateOf(engine, sessionId);
    expect(await refusalOf(engine.messages.retryTurn({ sessionId }))).toMatchObject(nothing);
    expect(await stateOf(engine, sessionId)).toEqual(empty);
    await runTurn(engine, sessionId, "go");
    const before = await stateOf(engine, sessionId);
    expect(await refusalOf(engine.messages.retryTurn({ sessionId, idempotencyKey: "k" }))).toMatchObject(nothing);
    expect(await stateOf(engine, sessionId)).toEqual(before);
  });

  it("takes up a cancelled turn and one that reached its limit", async () => {
    await start();
    const { id: sessionId } = await createSession(engine, { limits: { maxSteps: 1 } });
    await startHalf(sessionId);
    await engine.messages.cancelTurn({ sessionId });
    upstream.script((answer) => asksForNow(answer));
    const limited = await endOf(engine, (await engine.messages.retryTurn({ sessionId })).turn);
    expect(limited.error?.reason).toBe("STEPS_EXHAUSTED");
    upstream.script((answer) => says(answer, "done"));
    const { turn } = await engine.messages.retryTurn({ sessionId });
    expect((await endOf(engine, turn)).endReason).toBe(TurnEndReason.COMPLETED);
    expect(isValidHistory(upstream.requests.at(-1)!.messages)).toBe(true);
    expect(upstream.requests.at(-1)?.messages.map(({ role }) => role)).toEqual(["user", "assistant", "tool"]);
  });
});

describe("limits", () => {
  it("steps: a model that always asks for a tool is stopped after so many", async () => {
    await start();
    upstream.script((answer) => asksForNow(answer, 2));
    const { id: sessionId } = await createSession(engine, { limits: { maxSteps: 3 } });
    const turn = await runTurn(engine, sessionId, "go");
    expect(turn).toMatchObject({
      steps: 3,
      endReason: TurnEndReason.LIMIT_REACHED,
      error: { reason: "STEPS_EXHAUSTED", retryable: true },
      usage: { inputTokens: 240n, outputTokens: 60n, modelCalls: 3n },
    });
    expect(upstream.requests).toHaveLength(3);
    const events = await replay(engine, sessionId);
    expectClosed(events);
    expect(kindsOf(events).filter((kind) => kind === "stepStarted")).toHaveLength(3);
    expect(kindsOf(events).filter((kind) => kind === "toolCallStarted")).toHaveLength(6);
  });

  it("steps: fifty, where nothing is said", async () => {
    await start();
    upstream.script((answer) => asksForNow(answer));
    const { id: sessionId } = await createSession(engine);
    expect(await runTurn(engine, sessionId, "go")).toMatchObject({ steps: 50, error: { reason: "STEPS_EXHAUSTED" } });
  });

  it("tokens: no step begins once a turn has used them", async () => {
    await start();
    upstream.script((answer) => asksForNow(answer));
    const { id: sessionId } = await createSession(engine, { limits: { maxTokens: 250n } });
    expect(await runTurn(engine, sessionId, "go")).toMatchObject({
      steps: 3,
      endReason: TurnEndReason.LIMIT_REACHED,
      error: { reason: "TOKENS_EXHAUSTED" },
    });
    // The next turn has its own.
    upstream.script((answer) => says(answer, "ok"));
    expect((await runTurn(engine, sessionId, "more")).endReason).toBe(TurnEndReason.COMPLETED);
    expect((await engine.sessions.getSession({ sessionId })).session?.usage).toMatchObject({
      inputTokens: 250n,
      outputTokens: 61n,
      modelCalls: 4n,
    });
  });

  it("time: a turn that takes too long is stopped in the middle of its answer", async () => {
    await start({ clock });
    const { id: sessionId } = await createSession(engine, { limits: { maxWorkingTime: { seconds: 60n } } });
    const turn = await startHalf(sessionId);
    await clock.advance(60_000);
    expect(await endOf(engine, turn)).toMatchObject({
      endReason: TurnEndReason.LIMIT_REACHED,
      error: { reason: "TIME_EXHAUSTED", retryable: true },
    });
    const [, partial] = await listMessages(engine, sessionId);
    expect([textOf(partial), partial?.status]).toEqual(["half", 2]);
    expectClosed(await replay(engine, sessionId));
    while (upstream.open() > 0) await new Promise((resolve) => setImmediate(resolve));
  });

  it("time: tools count too", async () => {
    await start({ clock });
    upstream.script((answer) => (answer.call("a", "hang", "{}"), answer.end("tool_calls")));
    const { id: sessionId } = await createSession(engine, { limits: { maxWorkingTime: { seconds: 60n } } });
    const turn = await startTurn(sessionId);
    await watchUntil(engine, sessionId, ({ payload }) => payload.case === "toolCallStarted");
    await clock.advance(61_000);
    expect((await endOf(engine, turn)).error?.reason).toBe("TIME_EXHAUSTED");
    expectClosed(await replay(engine, sessionId));
  });

  it("silence in the middle of an answer fails the turn; what was said is kept, and the session goes on", async () => {
    await start({ clock });
    const { id: sessionId } = await createSession(engine, { limits: { maxSilence: { seconds: 5n } } });
    const turn = await startHalf(sessionId);
    await clock.whenSet(5000);
    await clock.advance(5000);
    expect(await endOf(engine, turn)).toMatchObject({
      endReason: TurnEndReason.FAILED,
      error: { reason: "PROVIDER_STALLED", retryable: true },
    });
    const [, partial] = await listMessages(engine, sessionId);
    expect([textOf(partial), partial?.status]).toEqual(["half", 3]);
    upstream.script((answer) => says(answer, "ok"));
    expect((await endOf(engine, (await engine.messages.retryTurn({ sessionId })).turn)).endReason).toBe(
      TurnEndReason.COMPLETED,
    );
    expect(upstream.requests.at(-1)?.messages.map(({ content }) => content)).toEqual(["go"]);
  });

  it("silence before the first word is tried again, visibly, then fails the turn", async () => {
    await start({ clock });
    upstream.script(() => undefined);
    const { id: sessionId } = await createSession(engine, { limits: { maxSilenceBeforeFirst: { seconds: 7n } } });
    const turn = await startTurn(sessionId);
    for (let tries = 1; tries <= 5; tries++) {
      while (upstream.requests.length < tries) await clock.advance(1);
      await clock.whenSet(7000);
      await clock.advance(7000);
    }
    expect(await endOf(engine, turn)).toMatchObject({
      endReason: TurnEndReason.FAILED,
      error: { reason: "PROVIDER_STALLED" },
      usage: { modelCalls: 5n },
    });
    const events = await replay(engine, sessionId);
    const retries = events.flatMap(({ payload }) => (payload.case === "retryScheduled" ? [payload.value.attempt] : []));
    expect(retries).toEqual([1, 2, 3, 4]);
    expect(kindsOf(events)).not.toContain("messageStarted");
    expectClosed(events);
  });

  it("a message of more than 1 MiB is cut, and the turn says so", async () => {
    await start();
    upstream.script((answer) => {
      for (let i = 0; i < 40; i++) answer.text("é".repeat(16 * 1024));
      answer.end();
    });
    const { id: sessionId } = await createSession(engine);
    const turn = await runTurn(engine, sessionId, "go");
    expect(turn).toMatchObject({ endReason: TurnEndReason.LIMIT_REACHED, error: { reason: "MESSAGE_TOO_LARGE" } });
    const [, said] = await listMessages(engine, sessionId);
    expect(textOf(said)).toBe("é".repeat(512 * 1024));
    expectClosed(await replay(engine, sessionId));
  });
});

describe("a hostile model", () => {
  const depth = 20_000;
  it.each([
    ["no JSON", "not json"],
    ["no JSON and half a surrogate pair", "not json \ud83d"],
    ["a number", "7"],
    ["a list", "[1]"],
    ["nothing", ""],
    ["a number that is none", '{"x":1e999}'],
    ["names that objects have", '{"__proto__":{"x":1},"constructor":"y","toString":1}'],
    ["half a surrogate pair", String.raw`{"x":"\ud83d"}`],
    ["a NUL", String.raw`{"x":"\u0000","\u0000":1}`],
    ["objects as deep as may be", `${'{"x":'.repeat(30)}1${"}".repeat(30)}`],
    ["objects one deeper", `${'{"x":'.repeat(31)}1${"}".repeat(31)}`],
    ["lists as deep as may be", `{"x":${"[".repeat(29)}${"]".repeat(29)}}`],
    ["deep lists", `{"x":${"[".repeat(60)}${"]".repeat(60)}}`],
    ["very deep lists", `{"x":${"[".repeat(depth)}${"]".repeat(depth)}}`],
    ["very deep objects", `${'{"x":'.repeat(depth)}1${"}".repeat(depth)}`],
    ["a name twice", '{"x":1,"x":2}'],
    ["large numbers", '{"x":123456789012345678901234567890}'],
  ])("that asks for a call with %s gets an answer, and everybody can read about it", async (_what, argumentsJson) => {
    await start();
    upstream.script((answer, { messages }) => {
      if (messages.at(-1)?.role === "tool") return says(answer, "done");
      answer.call("a", "now", argumentsJson);
      answer.end("tool_calls");
    });
    const { id: sessionId } = await createSession(engine);
    const turn = await runTurn(engine, sessionId, "go");
    expect(turn.state).toBe(TurnState.ENDED);
    expectClosed(await replay(engine, sessionId));
    for (const { messages } of upstream.requests) expect(isValidHistory(messages)).toBe(true);
    // Who speaks JSON can read it, too: the messages and the log.
    const { events } = await readUntil(
      (signal) =>
        createClient(MessageService, plainTransport(engine, { useBinaryFormat: false })).watchSession(
          { sessionId },
          { signal },
        ),
      (_seen, { payload }) => payload.case === "checkpoint" && payload.value.caughtUp,
    );
    expect(events).toEqual(await replay(engine, sessionId));
    const { status, json } = await engine.post("parley.v1.SessionService/ListMessages", JSON.stringify({ sessionId }));
    expect({ status, code: json["code"] }).toEqual({ status: 200, code: undefined });
    upstream.script((answer) => says(answer, "next"));
    expect((await runTurn(engine, sessionId, "next")).endReason).toBe(TurnEndReason.COMPLETED);
    expect(isValidHistory(upstream.requests.at(-1)!.messages)).toBe(true);
  });

  it("that cuts a surrogate pair in two between chunks is shown whole", async () => {
    await start();
    upstream.script((answer) => says(answer, "a\ud83d", "\ude00b\ud83d", "\ude00", "\ud83d"));
    const { id: sessionId } = await createSession(engine);
    await runTurn(engine, sessionId, "go");
    const shown = "a😀b😀\ufffd";
    const events = await replay(engine, sessionId);
    expect(events.map(({ payload }) => (payload.case === "textDelta" ? payload.value.text : "")).join("")).toBe(shown);
    expect(textOf((await listMessages(engine, sessionId)).at(-1))).toBe(shown);
    expect((await engine.post("parley.v1.SessionService/ListMessages", JSON.stringify({ sessionId }))).text).toContain(
      shown,
    );
  });

  it("that asks for a tool that does not exist is told so", async () => {
    await start();
    upstream.script((answer, { messages }) => {
      if (messages.at(-1)?.role === "tool") return says(answer, "sorry");
      answer.call("a", "rm -rf", "{}");
      answer.end("tool_calls");
    });
    const { id: sessionId } = await createSession(engine);
    expect((await runTurn(engine, sessionId, "go")).endReason).toBe(TurnEndReason.COMPLETED);
    const events = await replay(engine, sessionId);
    expectClosed(events);
    expect(kindsOf(events)).not.toContain("toolCallStarted");
    expect(upstream.requests[1]?.messages.at(-1)).toMatchObject({
      role: "tool",
      tool_call_id: "a",
      content: "There is no tool named rm -rf.",
    });
  });

  const failures: [string, (answer: Answer) => void, string][] = [
    ["answers 400", (answer) => answer.fail(400), "PROVIDER_REFUSED"],
    ["answers 401", (answer) => answer.fail(401), "PROVIDER_UNAUTHORIZED"],
    [
      "answers 429 and asks for an hour",
      (answer) => answer.fail(429, { "retry-after": "3600" }),
      "PROVIDER_RATE_LIMITED",
    ],
    ["answers 500", (answer) => answer.fail(500), "PROVIDER_ERROR"],
    ["hangs up at once", (answer) => answer.cut(), "PROVIDER_UNREACHABLE"],
    [
      "hangs up in the middle",
      (answer) => (answer.text("half"), setImmediate(() => answer.cut())),
      "PROVIDER_BROKE_OFF",
    ],
  ];
  it.each(failures)("that %s ends the turn FAILED, and the session goes on", async (_what, fail, reason) => {
    await start();
    upstream.script(fail);
    const { id: sessionId } = await createSession(engine);
    const turn = await runTurn(engine, sessionId, "go");
    expect(turn).toMatchObject({ endReason: TurnEndReason.FAILED, error: { reason } });
    expect(turn.error?.message).not.toMatch(/sk-test/);
    expectClosed(await replay(engine, sessionId));
    upstream.script((answer) => says(answer, "fine"));
    expect((await runTurn(engine, sessionId, "next")).endReason).toBe(TurnEndReason.COMPLETED);
  });
});

describe("SendMessage", () => {
  it("goes on without its caller", async () => {
    await start();
    const { id: sessionId } = await createSession(engine);
    const { promise: answer, resolve } = Promise.withResolvers<Answer>();
    upstream.script((next) => (next.text("first"), resolve(next)));
    const seen = await readUntil(
      (signal) => engine.messages.sendMessage({ sessionId, parts: text("go") }, { signal }),
      (_seen, { payload }) => payload.case === "event" && payload.value.payload.case === "textDelta",
    );
    await noReaders(engine);
    const { text: say, end } = await answer;
    say(" second");
    end();
    await watchUntil(engine, sessionId, isEnd, seen.events[0]!.seq);
    expect((await listMessages(engine, sessionId)).map(textOf)).toEqual(["go", "first second"]);
  });

  it("sends a checkpoint first, then the turn and nothing else, then ends", async () => {
    await start();
    const { id: sessionId } = await createSession(engine);
    await runTurn(engine, sessionId, "before");
    const order: string[] = [];
    const { events, checkpoints } = await readUntil(
      (signal) => engine.messages.sendMessage({ sessionId, parts: text("go") }, { signal }),
      (_seen, { payload }) => (order.push(payload.case ?? ""), false),
    );
    expect(order[0]).toBe("checkpoint");
    expect(checkpoints.length).toBeGreaterThan(0);
    expect(kindsOf(events)).toEqual([
      "turnStarted",
      "messageCompleted",
      "stepStarted",
      "messageStarted",
      "textDelta",
      "messageCompleted",
      "usageReported",
      "turnEnded",
    ]);
    expect(new Set(events.map(({ turnId }) => turnId)).size).toBe(1);
    expect(events[0]).toMatchObject({ actor: "admin", payload: { value: { turn: { firstSeq: events[0]?.seq } } } });
  });
});
