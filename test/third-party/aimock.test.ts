import { afterEach, expect, test } from "vitest";
import type { MockServerOptions } from "@copilotkit/aimock";
import { systemClock } from "../../src/clock.ts";
import type { ModelEvent, ModelPart, ModelRequest } from "../../src/model/model.ts";
import { createOpenaiChatModel } from "../../src/model/openai/openai-chat.ts";
import { callModel } from "../../src/model/retry.ts";
import { startAimock } from "../helpers/aimock.ts";
import { collect, textOf } from "../helpers/collect.ts";
import { messageOf, NOW_TOOL, requestOf } from "../helpers/model-request.ts";

// Chat Completions against a mock that others wrote and check against the real service.

const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function setUp(options: MockServerOptions = {}) {
  const aimock = await startAimock(options);
  const model = createOpenaiChatModel({ baseUrl: aimock.baseUrl, apiKey: "sk-test" });
  closers.push(() => model.close(), aimock.stop);
  const call = (request: ModelRequest | string, maxAttempts = 1) =>
    collect<ModelEvent>(
      callModel(
        model,
        typeof request === "string" ? requestOf(request) : request,
        { maxAttempts, maxSilenceMs: 20_000, maxSilenceBeforeFirstMs: 20_000 },
        new AbortController().signal,
        // No jitter to wait for.
        { clock: systemClock, random: () => 0 },
      ),
    );
  return { mock: aimock.mock, call };
}

function callOf(callId: string, providerCallId: string): ModelPart {
  return { kind: "tool_call", callId, providerCallId, name: "now", arguments: {} };
}

function resultOf(callId: string): ModelPart {
  return { kind: "tool_result", callId, outcome: "succeeded", text: "noon" };
}

const LONG = "Grüße, 世界! 😀👩‍👩‍👧 ".repeat(50);

test("a streamed text is exact, whatever the chunks", async () => {
  const { mock, call } = await setUp({ chunkSize: 1, latency: 1 });
  mock.onMessage("hello", { content: LONG });
  const { events, error } = await call("hello");
  expect(error).toBeUndefined();
  expect(textOf(events)).toBe(LONG);
  expect(events.at(-1)).toEqual({ kind: "stop", reason: "end" });
  expect(events.find((event) => event.kind === "usage")).toMatchObject({ usage: { modelCalls: 1 } });
});

test("reasoning comes before the text", async () => {
  const { mock, call } = await setUp();
  mock.onMessage("why", { content: "because", reasoning: "let me think" });
  const { events } = await call("why");
  expect(textOf(events, "reasoning")).toBe("let me think");
  expect(textOf(events)).toBe("because");
});

test("parallel tool calls and their results make the round", async () => {
  const { mock, call } = await setUp();
  const toolCalls = [
    { id: "call_a", name: "now", arguments: '{"timezone":"Asia/Tokyo"}' },
    { id: "call_b", name: "now", arguments: "{}" },
  ];
  mock.on({ userMessage: "time", hasToolResult: false }, { toolCalls });
  mock.on({ toolCallId: "call_b", toolResultContains: "noon" }, { content: "It is noon." });
  const first = await call(requestOf("time", { tools: [NOW_TOOL] }));
  expect(first.events.filter((event) => event.kind === "tool_call")).toEqual(
    toolCalls.map(({ id, name, arguments: argumentsJson }) => ({
      kind: "tool_call",
      providerCallId: id,
      name,
      argumentsJson,
    })),
  );
  expect(first.events.at(-1)).toEqual({ kind: "stop", reason: "tool_calls" });

  const messages = [
    messageOf("user", "time"),
    messageOf("assistant", callOf("1", "call_a"), callOf("2", "call_b")),
    messageOf("tool", resultOf("1")),
    messageOf("tool", resultOf("2")),
  ];
  expect(textOf((await call(requestOf("", { messages, tools: [NOW_TOOL] }))).events)).toBe("It is noon.");
});

test.each([
  [401, "PROVIDER_UNAUTHORIZED", false],
  [500, "PROVIDER_ERROR", true],
])("a %d is %s", async (status, reason, retryable) => {
  const { mock, call } = await setUp();
  mock.onMessage("hello", { error: { message: "no", type: "some_error" }, status });
  expect(await call("hello")).toMatchObject({ events: [], error: { reason, retryable } });
});

test("a 429 with retry-after is retried after that time", async () => {
  const { mock, call } = await setUp();
  mock.on({ userMessage: "hello", sequenceIndex: 0 }, { error: { message: "slow down" }, status: 429, retryAfter: 1 });
  mock.on({ userMessage: "hello", sequenceIndex: 1 }, { content: "hi" });
  const start = performance.now();
  const { events, error } = await call("hello", 2);
  expect(error).toBeUndefined();
  expect(events[0]).toMatchObject({ kind: "retry", delayMs: 1_000, error: { reason: "PROVIDER_RATE_LIMITED" } });
  expect(textOf(events)).toBe("hi");
  expect(performance.now() - start).toBeGreaterThanOrEqual(990);
});

test("a rate limit by chaos is told with its retry-after", async () => {
  const { mock, call } = await setUp({ chaos: { rateLimitRate: 1 } });
  mock.onMessage("hello", { content: "hi" });
  const { error } = await call("hello");
  expect(error).toMatchObject({ reason: "PROVIDER_RATE_LIMITED", retryable: true });
  expect((error as { retryAfterMs: number }).retryAfterMs).toBeGreaterThan(0);
});

test.each([
  ["a dropped request", { dropRate: 1 }, "PROVIDER_ERROR"],
  ["malformed JSON", { malformedRate: 1 }, "PROVIDER_GARBAGE"],
  ["a cut connection", { disconnectRate: 1 }, "PROVIDER_UNREACHABLE"],
])("chaos: %s can be retried", async (_name, chaos, reason) => {
  const { mock, call } = await setUp({ chaos });
  mock.onMessage("hello", { content: "hi" });
  expect(await call("hello")).toMatchObject({ events: [], error: { reason, retryable: true } });
});

test("half a stream keeps the text so far and is not retried by itself", async () => {
  const { mock, call } = await setUp({ chunkSize: 5, latency: 5 });
  mock.onMessage("hello", { content: LONG }, { truncateAfterChunks: 5 });
  const { events, error } = await call("hello", 5);
  expect(textOf(events).length).toBeGreaterThan(0);
  expect(LONG.startsWith(textOf(events))).toBe(true);
  expect(events.some(({ kind }) => kind === "retry")).toBe(false);
  expect(error).toMatchObject({ reason: "PROVIDER_BROKE_OFF", retryable: true });
});

test("a slow provider is waited for", async () => {
  const { mock, call } = await setUp({ latency: 20, chunkSize: 3, chaos: { latencyMs: 200 } });
  mock.onMessage("hello", { content: "slowly but surely" });
  expect(textOf((await call("hello")).events)).toBe("slowly but surely");
});
