import { getEventListeners } from "node:events";
import { expect, test } from "vitest";
import { collect, textOf } from "../../test/helpers/collect.ts";
import { createFakeClock } from "../../test/helpers/fake-clock.ts";
import { requestOf } from "../../test/helpers/model-request.ts";
import { ModelError, type Model, type ModelErrorReason, type ModelEvent, type ModelPulse } from "./model.ts";
import { backoffMs, callModel } from "./retry.ts";

type Try = (signal: AbortSignal) => AsyncIterable<ModelEvent | ModelPulse>;

const LIMITS = { maxSilenceMs: 100, maxSilenceBeforeFirstMs: 300 };
const END: ModelEvent = { kind: "stop", reason: "end" };
const request = requestOf("hi");

/** A model of which each call does what the next of these says. */
function setUp(...tries: readonly Try[]) {
  const clock = createFakeClock();
  const signals: AbortSignal[] = [];
  const controller = new AbortController();
  const model: Model = {
    stream(_request, signal) {
      signals.push(signal);
      return tries[signals.length - 1]!(signal);
    },
    close: async () => undefined,
  };
  const call = (limits: Parameters<typeof callModel>[2] = LIMITS) =>
    callModel(model, request, limits, controller.signal, { clock, random: () => 0.5 });
  const expectNothingLeft = (): void => {
    expect(clock.timers()).toBe(0);
    expect(getEventListeners(controller.signal, "abort")).toEqual([]);
    // Every try was told that nobody reads it any more.
    expect(signals.map(({ aborted }) => aborted)).toEqual(signals.map(() => true));
  };
  return { clock, signals, controller, call, expectNothingLeft };
}

function say(...items: readonly (ModelEvent | ModelPulse | Error)[]): Try {
  return async function* () {
    for (const item of items) {
      if (item instanceof Error) throw item;
      yield item;
    }
  };
}

/** An adapter that hangs and does not listen to its signal. */
function deaf(...items: readonly (ModelEvent | ModelPulse)[]): Try {
  return async function* () {
    yield* items;
    await new Promise(() => undefined);
  };
}

const text = (value: string): ModelEvent => ({ kind: "text", text: value });

function failure(
  reason: ModelErrorReason = "PROVIDER_ERROR",
  options: { retryable?: boolean; retryAfterMs?: number } = {},
) {
  return new ModelError(reason, "no", { retryable: true, ...options });
}

test("a call that succeeds is passed on as it is", async () => {
  const { call, expectNothingLeft } = setUp(say(text("a"), { kind: "pulse" }, text("b"), END));
  expect(await collect(call())).toEqual({ events: [text("a"), text("b"), END], error: undefined });
  expectNothingLeft();
});

test("a failed call is told of, then made again after the backoff, not before", async () => {
  const error = failure();
  const { call, clock, signals, expectNothingLeft } = setUp(say(error), say(error), say(text("a"), END));
  const done = collect(call());
  await clock.advance(499);
  expect(signals).toHaveLength(1);
  await clock.advance(1);
  expect(signals).toHaveLength(2);
  await clock.advance(999);
  expect(signals).toHaveLength(2);
  await clock.advance(1);
  expect(await done).toEqual({
    events: [
      { kind: "retry", attempt: 1, maxAttempts: 5, delayMs: 500, error },
      { kind: "retry", attempt: 2, maxAttempts: 5, delayMs: 1000, error },
      text("a"),
      END,
    ],
    error: undefined,
  });
  expectNothingLeft();
});

test("after the last try its error is thrown", async () => {
  const errors = [failure(), failure(), failure("PROVIDER_UNREACHABLE")];
  const { call, clock, signals, expectNothingLeft } = setUp(...errors.map((error) => say(error)));
  const done = collect(call({ ...LIMITS, maxAttempts: 3 }));
  await clock.advance(60_000);
  const { events, error } = await done;
  expect(events.map(({ kind }) => kind)).toEqual(["retry", "retry"]);
  expect(error).toBe(errors[2]);
  expect(signals).toHaveLength(3);
  expectNothingLeft();
});

test("what cannot succeed later is not tried again", async () => {
  const error = failure("PROVIDER_UNAUTHORIZED", { retryable: false });
  const { call, expectNothingLeft } = setUp(say(error));
  expect(await collect(call())).toEqual({ events: [], error });
  expectNothingLeft();
});

test.each([
  ["text", text("a")],
  ["reasoning", { kind: "reasoning", text: "a" }],
  ["tool call", { kind: "tool_call", providerCallId: "1", name: "now", argumentsJson: "{}" }],
] as const)("once a piece was passed on nothing is tried again: %s", async (_name, piece) => {
  const error = failure("PROVIDER_BROKE_OFF");
  const { call, expectNothingLeft } = setUp(say(piece, error));
  expect(await collect(call())).toEqual({ events: [piece], error });
  expectNothingLeft();
});

test("a failure after signs of life and usage alone is tried again", async () => {
  const usage: ModelEvent = {
    kind: "usage",
    usage: { inputTokens: 1, outputTokens: 0, reasoningTokens: 0, cachedInputTokens: 0, modelCalls: 1 },
  };
  const { call, clock } = setUp(say({ kind: "pulse" }, usage, failure()), say(text("a"), END));
  const done = collect(call());
  await clock.advance(60_000);
  expect((await done).events.map(({ kind }) => kind)).toEqual(["usage", "retry", "text", "stop"]);
});

test("what the provider asks to wait is waited, and a little more", async () => {
  const { call, clock } = setUp(say(failure("PROVIDER_RATE_LIMITED", { retryAfterMs: 20_000 })), say(text("a"), END));
  const done = collect(call());
  await clock.advance(60_000);
  expect((await done).events[0]).toMatchObject({ kind: "retry", delayMs: 21_000 });
});

test("a provider that asks for more than a minute is not waited for", async () => {
  const error = failure("PROVIDER_RATE_LIMITED", { retryAfterMs: 60_001 });
  const { call, expectNothingLeft } = setUp(say(error));
  expect(await collect(call())).toEqual({ events: [], error });
  expectNothingLeft();
});

test("an answer without its end broke off", async () => {
  const { call } = setUp(say(text("a")));
  const { events, error } = await collect(call());
  expect(events).toEqual([text("a")]);
  expect(error).toMatchObject({ name: "ModelError", reason: "PROVIDER_BROKE_OFF", retryable: true });
});

test("silence before the first piece ends the try, and the next one is made", async () => {
  const { call, clock, signals, expectNothingLeft } = setUp(deaf(), say(text("a"), END));
  const done = collect(call());
  await clock.advance(299);
  expect(signals[0]?.aborted).toBe(false);
  await clock.advance(1);
  expect(signals[0]?.aborted).toBe(true);
  await clock.advance(500);
  const { events } = await done;
  expect(events[0]).toMatchObject({ kind: "retry", error: { reason: "PROVIDER_STALLED" } });
  expect(textOf(events)).toBe("a");
  expectNothingLeft();
});

test("silence between two pieces ends the call", async () => {
  const { call, clock, expectNothingLeft } = setUp(deaf(text("a")));
  const done = collect(call());
  await clock.advance(99);
  expect(clock.timers()).toBe(1);
  await clock.advance(1);
  const { events, error } = await done;
  expect(events).toEqual([text("a")]);
  expect(error).toMatchObject({ reason: "PROVIDER_STALLED", retryable: true });
  expectNothingLeft();
});

test("pieces and signs of life put the silence off, with one timer", async () => {
  const clock = createFakeClock();
  const model: Model = {
    async *stream() {
      yield text("a");
      for (let i = 0; i < 20; i++) {
        await new Promise<void>((resolve) => clock.after(90, resolve));
        yield i % 2 === 0 ? { kind: "pulse" } : text("b");
      }
      yield END;
    },
    close: async () => undefined,
  };
  const done = collect(callModel(model, request, LIMITS, new AbortController().signal, { clock, random: () => 0 }));
  await clock.advance(45);
  expect(clock.timers()).toBe(2);
  await clock.advance(1_800);
  expect((await done).error).toBeUndefined();
});

test("the time that the reader takes is no silence", async () => {
  const { call, clock } = setUp(say(text("a"), text("b"), END));
  const stream = call();
  await stream.next();
  await clock.advance(10_000);
  expect((await stream.next()).value).toEqual(text("b"));
  expect((await stream.next()).value).toEqual(END);
});

test("an abort is thrown at once, also where the adapter ignores it", async () => {
  const { call, clock, controller, expectNothingLeft } = setUp(deaf(text("a")));
  const done = collect(call());
  await clock.advance(1);
  const reason = new Error("cancelled");
  controller.abort(reason);
  expect((await done).error).toBe(reason);
  expectNothingLeft();
});

test("an abort during the wait for the next try ends it", async () => {
  const { call, clock, controller, signals, expectNothingLeft } = setUp(say(failure()));
  const done = collect(call());
  await clock.advance(100);
  const reason = new Error("cancelled");
  controller.abort(reason);
  expect((await done).error).toBe(reason);
  expect(signals).toHaveLength(1);
  expectNothingLeft();
});

test("an abort's reason is thrown where the adapter throws something else", async () => {
  const { call, clock, controller } = setUp(async function* (signal) {
    await new Promise((_, reject) => signal.addEventListener("abort", () => reject(failure())));
    yield END;
  });
  const done = collect(call());
  await clock.advance(1);
  const reason = new Error("cancelled");
  controller.abort(reason);
  expect((await done).error).toBe(reason);
});

test("an aborted signal makes no call", async () => {
  const { call, controller, signals } = setUp();
  const reason = new Error("cancelled");
  controller.abort(reason);
  expect(await collect(call())).toEqual({ events: [], error: reason });
  expect(signals).toEqual([]);
});

test("a reader that leaves ends the call", async () => {
  const { call, expectNothingLeft } = setUp(deaf(text("a")));
  for await (const event of call()) {
    expect(event).toEqual(text("a"));
    break;
  }
  expectNothingLeft();
});

test("a bug of the adapter is no failure of the provider", async () => {
  const bug = new TypeError("undefined is not a function");
  const { call } = setUp(say(bug));
  expect((await collect(call())).error).toBe(bug);
});

test("the backoff doubles up to its cap, and any part of it may be waited", () => {
  expect([1, 2, 3, 4, 5, 6, 7].map((attempt) => backoffMs(attempt, () => 1))).toEqual([
    1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000,
  ]);
  expect(backoffMs(3, () => 0)).toBe(0);
});
