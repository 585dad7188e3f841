import { afterEach, expect, test, vi } from "vitest";
import { collect, textOf } from "../../../test/helpers/collect.ts";
import { createFakeClock } from "../../../test/helpers/fake-clock.ts";
import { messageOf, NOW_TOOL, requestOf } from "../../../test/helpers/model-request.ts";
import { chunk, DONE, flood, openStream, type Respond, sse, startUpstream } from "../../../test/helpers/upstream.ts";
import type { Model, ModelEvent, ModelPulse, ModelRequest } from "../model.ts";
import { createOpenaiChatModel } from "./openai-chat.ts";

const KEY = "sk-secret-1234567890";
const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function setUp(...responds: readonly Respond[]) {
  const upstream = await startUpstream(...responds);
  const clock = createFakeClock();
  const model = createOpenaiChatModel({ baseUrl: upstream.baseUrl, apiKey: KEY, clock });
  closers.push(async () => {
    await model.close();
    await upstream.stop();
    // A connection's own end comes a moment after it was asked for.
    await vi.waitFor(() => expect(clock.timers()).toBe(0), { timeout: 120_000 });
  });
  return { upstream, clock, model };
}

/** What one call gives, signs of life left out. */
async function call(model: Model, request: ModelRequest = requestOf("hi"), signal = new AbortController().signal) {
  const { events, error } = await collect(model.stream(request, signal));
  return { events: events.filter((event) => event.kind !== "pulse"), error };
}

/** Answers with these events, then the end of the stream. */
function stream(...parts: readonly string[]): Respond {
  return (response) => {
    openStream(response);
    response.end(parts.join(""));
  };
}

function fail(status: number, body: unknown, headers: Record<string, string> = {}): Respond {
  return (response) => {
    const isText = typeof body === "string";
    response.writeHead(status, { "content-type": isText ? "text/html" : "application/json", ...headers });
    response.end(isText ? body : JSON.stringify(body));
  };
}

function errorBody(message: string, more: Record<string, unknown> = {}) {
  return { error: { message, type: "invalid_request_error", param: null, code: null, ...more } };
}

/** A call as it is sent to the provider. */
function sentCall(id: string, json: string) {
  return { id, type: "function", function: { name: "now", arguments: json } };
}

/** A piece of a call as it comes from the provider. */
function callChunk(more: Record<string, unknown>): string {
  return chunk({ tool_calls: [more] });
}

function wholeCall(more: Record<string, unknown>, json: string): string {
  return callChunk({ ...more, function: { name: "now", arguments: json } });
}

/** A promise that the test resolves: what a provider waits for before it goes on. */
function gate() {
  return Promise.withResolvers<void>();
}

async function firstPiece(iterator: AsyncIterator<ModelEvent | ModelPulse, unknown>): Promise<ModelEvent> {
  for (;;) {
    const result = await iterator.next();
    if (result.done === true) throw new Error("no piece came");
    if (result.value.kind !== "pulse") return result.value;
  }
}

test("a conversation is sent as Chat Completions wants it", async () => {
  const { upstream, model } = await setUp(stream(chunk({ content: "ok" }), chunk({}, "stop"), DONE));
  const tokyo = {
    kind: "tool_call",
    callId: "c1",
    providerCallId: "p1",
    name: "now",
    arguments: { timezone: "Asia/Tokyo" },
  } as const;
  const broken = { ...tokyo, callId: "c2", providerCallId: "p2", arguments: {}, invalidArguments: "{oops" } as const;
  await call(model, {
    model: "gpt-x",
    systemPrompt: "be brief",
    messages: [
      messageOf("user", "what ", "time?"),
      messageOf("assistant", { kind: "reasoning", text: "hm" }, "Let me see.", tokyo, broken),
      messageOf("tool", { kind: "tool_result", callId: "c1", outcome: "succeeded", text: "noon" }),
      messageOf("tool", { kind: "tool_result", callId: "c2", outcome: "failed", text: "arguments are no JSON" }),
      messageOf("assistant", { kind: "reasoning", text: "only thoughts" }),
      messageOf("user", "thanks"),
    ],
    tools: [NOW_TOOL],
  });
  const [request] = upstream.requests;
  expect(request!.url).toBe("/v1/chat/completions");
  expect(request!.headers.authorization).toBe(`Bearer ${KEY}`);
  expect(JSON.parse(request!.body)).toEqual({
    model: "gpt-x",
    stream: true,
    stream_options: { include_usage: true },
    tools: [{ type: "function", function: NOW_TOOL }],
    messages: [
      { role: "system", content: "be brief" },
      { role: "user", content: "what time?" },
      {
        role: "assistant",
        content: "Let me see.",
        tool_calls: [sentCall("p1", '{"timezone":"Asia/Tokyo"}'), sentCall("p2", "{}")],
      },
      { role: "tool", tool_call_id: "p1", content: "noon" },
      { role: "tool", tool_call_id: "p2", content: "arguments are no JSON" },
      { role: "user", content: "thanks" },
    ],
  });
});

/** A picture of these bytes, as a message has it. */
function imageOf(bytes: string) {
  const image = { sha256: bytes, mediaType: "image/png", sizeBytes: bytes.length };
  return { ...image, bytes: async () => Buffer.from(bytes) };
}
const sentImage = (bytes: string) => ({
  type: "image_url",
  image_url: { url: `data:image/png;base64,${Buffer.from(bytes).toString("base64")}` },
});
const messagesOf = (body: string): unknown => (JSON.parse(body) as { messages: unknown }).messages;

test("pictures of the user are sent among the words, in their order", async () => {
  const { upstream, model } = await setUp(stream(chunk({ content: "ok" }), chunk({}, "stop"), DONE));
  const parts = [
    "before ",
    { kind: "image", ...imageOf("one") },
    "after",
    { kind: "image", ...imageOf("two") },
  ] as const;
  await call(model, requestOf("", { messages: [messageOf("user", ...parts)] }));
  expect(messagesOf(upstream.requests[0]!.body)).toEqual([
    {
      role: "user",
      content: [{ type: "text", text: "before " }, sentImage("one"), { type: "text", text: "after" }, sentImage("two")],
    },
  ]);
});

test("pictures of tools follow the results of their answer as a user's message, since results take none", async () => {
  const { upstream, model } = await setUp(stream(chunk({ content: "ok" }), chunk({}, "stop"), DONE));
  const calls = ["c1", "c2"].map(
    (callId) =>
      ({ kind: "tool_call", callId, providerCallId: `p-${callId}`, name: "read_file", arguments: {} }) as const,
  );
  const result = { kind: "tool_result", outcome: "succeeded" } as const;
  const messages = [
    messageOf("user", "look"),
    messageOf("assistant", ...calls),
    messageOf("tool", { ...result, callId: "c1", text: "a.png: a picture", images: [imageOf("one")] }),
    messageOf("tool", { ...result, callId: "c2", text: "b.png: a picture", images: [imageOf("two")] }),
    messageOf("assistant", "I see"),
    messageOf("user", "and?"),
  ];
  await call(model, requestOf("", { messages }));
  const sent = messagesOf(upstream.requests[0]!.body) as { role: string; content?: unknown }[];
  expect(sent.map(({ role }) => role)).toEqual(["user", "assistant", "tool", "tool", "user", "assistant", "user"]);
  expect(sent[2]).toEqual({ role: "tool", tool_call_id: "p-c1", content: "a.png: a picture" });
  expect(sent[4]?.content).toEqual([
    { type: "text", text: "[Shown by a tool whose result begins: a.png: a picture]" },
    sentImage("one"),
    { type: "text", text: "[Shown by a tool whose result begins: b.png: a picture]" },
    sentImage("two"),
  ]);
});

test("pictures of the last results are sent, too", async () => {
  const { upstream, model } = await setUp(stream(chunk({ content: "ok" }), chunk({}, "stop"), DONE));
  const asked = { kind: "tool_call", callId: "c", providerCallId: "p", name: "read_file", arguments: {} } as const;
  const result = {
    kind: "tool_result",
    callId: "c",
    outcome: "succeeded",
    text: "r",
    images: [imageOf("one")],
  } as const;
  await call(model, requestOf("", { messages: [messageOf("assistant", asked), messageOf("tool", result)] }));
  const sent = messagesOf(upstream.requests[0]!.body) as { role: string }[];
  expect(sent.map(({ role }) => role)).toEqual(["assistant", "tool", "user"]);
});

test("a picture that cannot be read fails the call with what was wrong", async () => {
  const { upstream, model } = await setUp(stream(chunk({ content: "ok" }), chunk({}, "stop"), DONE));
  const gone = { kind: "image", ...imageOf("x"), bytes: () => Promise.reject(new Error("it is gone")) } as const;
  const { error } = await call(model, requestOf("", { messages: [messageOf("user", gone)] }));
  expect(error).toMatchObject({ message: expect.stringContaining("it is gone") as unknown });
  expect(upstream.requests).toHaveLength(0);
});

test("without a key none is sent, and nothing of the environment's", async () => {
  vi.stubEnv("OPENAI_API_KEY", "sk-environment");
  vi.stubEnv("OPENAI_ORG_ID", "org-environment");
  vi.stubEnv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1");
  vi.stubEnv("OPENAI_CUSTOM_HEADERS", "X-Environment: environment\nAuthorization: Bearer environment");
  const upstream = await startUpstream(stream(chunk({}, "stop"), DONE));
  const model = createOpenaiChatModel({ baseUrl: upstream.baseUrl });
  const withKey = createOpenaiChatModel({ baseUrl: upstream.baseUrl, apiKey: KEY });
  closers.push(
    () => model.close(),
    () => withKey.close(),
    upstream.stop,
  );
  await call(model);
  await call(withKey);
  vi.unstubAllEnvs();
  const [without, sent] = upstream.requests.map(({ headers }) => headers);
  expect(JSON.stringify(without)).not.toMatch(/authorization|environment/);
  expect(JSON.stringify(sent)).not.toMatch(/environment/);
  expect(sent?.authorization).toBe(`Bearer ${KEY}`);
});

test("text, reasoning, usage and the end come in order", async () => {
  const usage = {
    prompt_tokens: 10,
    completion_tokens: 7,
    prompt_tokens_details: { cached_tokens: 4 },
    completion_tokens_details: { reasoning_tokens: 5 },
  };
  const { model } = await setUp(
    stream(
      chunk({ role: "assistant", content: "" }),
      chunk({ reasoning_content: "let me " }),
      chunk({ reasoning: "think" }),
      chunk({ content: "Hel" }),
      chunk({ content: "lo" }),
      chunk({}, "stop"),
      sse({ choices: [], usage }),
      DONE,
    ),
  );
  expect(await call(model)).toEqual({
    error: undefined,
    events: [
      { kind: "reasoning", text: "let me think" },
      { kind: "text", text: "Hello" },
      {
        kind: "usage",
        usage: { inputTokens: 10, outputTokens: 7, reasoningTokens: 5, cachedInputTokens: 4, modelCalls: 1 },
      },
      { kind: "stop", reason: "end" },
    ],
  });
});

test("parallel tool calls are put together from their pieces", async () => {
  const { model } = await setUp(
    stream(
      callChunk({ index: 0, id: "a", type: "function", function: { name: "now", arguments: "" } }),
      callChunk({ index: 0, function: { arguments: '{"timezone":' } }),
      callChunk({ index: 1, id: "b", type: "function", function: { name: "now", arguments: "{" } }),
      callChunk({ index: 0, function: { arguments: '"UTC"}' } }),
      callChunk({ index: 1, function: { arguments: "}" } }),
      chunk({}, "tool_calls"),
      DONE,
    ),
  );
  expect((await call(model)).events).toEqual([
    { kind: "tool_call", providerCallId: "a", name: "now", argumentsJson: '{"timezone":"UTC"}' },
    { kind: "tool_call", providerCallId: "b", name: "now", argumentsJson: "{}" },
    { kind: "stop", reason: "tool_calls" },
  ]);
});

test("calls that all have the same index, or none, or no id are told apart", async () => {
  const { model } = await setUp(
    stream(wholeCall({ index: 0, id: "a" }, "1"), wholeCall({ index: 0, id: "b" }, "2"), chunk({}, "stop"), DONE),
    stream(wholeCall({ id: "a" }, "1"), wholeCall({ id: "b" }, "2"), chunk({}, "tool_calls"), DONE),
    stream(wholeCall({ index: 0 }, "1"), wholeCall({ index: 1 }, "2"), chunk({}, "tool_calls"), DONE),
  );
  for (let i = 0; i < 3; i++) {
    const { events } = await call(model);
    const calls = events.filter((event) => event.kind === "tool_call");
    expect(calls.map(({ argumentsJson }) => argumentsJson)).toEqual(["1", "2"]);
    expect(new Set(calls.map(({ providerCallId }) => providerCallId)).size).toBe(2);
    expect(calls.every(({ providerCallId }) => providerCallId !== "")).toBe(true);
    expect(events.at(-1)).toEqual({ kind: "stop", reason: "tool_calls" });
  }
});

test("an answer cut at the limit says so, and a call that was cut is not asked for", async () => {
  const { model } = await setUp(
    stream(
      chunk({ content: "a" }),
      chunk({ tool_calls: [{ index: 0, id: "a", function: { name: "now", arguments: "{" } }] }),
      chunk({}, "length"),
      DONE,
    ),
    stream(chunk({}, "content_filter"), DONE),
  );
  expect((await call(model)).events).toEqual([
    { kind: "text", text: "a" },
    { kind: "stop", reason: "length" },
  ]);
  expect((await call(model)).events).toEqual([{ kind: "stop", reason: "filtered" }]);
});

test("arguments that grow are signs of life", async () => {
  const more = gate();
  const { model } = await setUp(async (response) => {
    openStream(response);
    response.write(chunk({ tool_calls: [{ index: 0, id: "a", function: { name: "w", arguments: "{" } }] }));
    await more.promise;
    response.end(chunk({ tool_calls: [{ index: 0, function: { arguments: "}" } }] }) + chunk({}, "tool_calls") + DONE);
  });
  const iterator = model.stream(requestOf("hi"), new AbortController().signal)[Symbol.asyncIterator]();
  expect((await iterator.next()).value).toEqual({ kind: "pulse" });
  more.resolve();
  expect(await firstPiece(iterator)).toMatchObject({ kind: "tool_call", argumentsJson: "{}" });
});

test("tool calls of more than 1 MiB are refused", async () => {
  const { model } = await setUp(
    stream(
      ...Array.from({ length: 5 }, () =>
        chunk({ tool_calls: [{ index: 0, function: { arguments: "x".repeat(300_000) } }] }),
      ),
    ),
  );
  expect((await call(model)).error).toMatchObject({ reason: "PROVIDER_GARBAGE", retryable: false });
});

test("a surrogate pair split over two chunks is one character", async () => {
  const more = gate();
  const { model } = await setUp(async (response) => {
    openStream(response);
    response.write(sse({ choices: [{ delta: { content: "a" } }] }).replace('"a"', '"a\\ud83d"'));
    await more.promise;
    response.end(
      sse({ choices: [{ delta: { content: "b" } }] }).replace('"b"', '"\\ude00b"') + chunk({}, "stop") + DONE,
    );
  });
  const iterator = model.stream(requestOf("hi"), new AbortController().signal)[Symbol.asyncIterator]();
  expect(await firstPiece(iterator)).toEqual({ kind: "text", text: "a" });
  more.resolve();
  expect(await firstPiece(iterator)).toEqual({ kind: "text", text: "\u{1f600}b" });
});

test("half a surrogate pair at the end of the answer is replaced", async () => {
  const { model } = await setUp(stream(chunk({ content: "a" }).replace('"a"', '"a\\ud83d"'), chunk({}, "stop"), DONE));
  expect(textOf((await call(model)).events)).toBe("a\ufffd");
});

test("a character split over two writes is one character", async () => {
  const more = gate();
  const { model } = await setUp(async (response) => {
    const bytes = Buffer.from(chunk({ content: "x" }) + chunk({ content: "\u{1f600}é" }) + chunk({}, "stop") + DONE);
    const middle = bytes.indexOf(Buffer.from("\u{1f600}")) + 2;
    openStream(response);
    response.write(bytes.subarray(0, middle));
    await more.promise;
    response.end(bytes.subarray(middle));
  });
  const iterator = model.stream(requestOf("hi"), new AbortController().signal)[Symbol.asyncIterator]();
  expect(await firstPiece(iterator)).toEqual({ kind: "text", text: "x" });
  more.resolve();
  expect(await firstPiece(iterator)).toEqual({ kind: "text", text: "\u{1f600}é" });
});

test.each([
  [
    "a refused key",
    401,
    errorBody(`Incorrect API key provided: ${KEY}. Bearer ${KEY}, sk-sec***7890.`),
    "PROVIDER_UNAUTHORIZED",
    false,
  ],
  ["a forbidden model", 403, errorBody("no access"), "PROVIDER_UNAUTHORIZED", false],
  [
    "an unknown model",
    404,
    errorBody("The model does not exist", { code: "model_not_found" }),
    "PROVIDER_REFUSED",
    false,
  ],
  ["a bad request", 400, errorBody("bad tool"), "PROVIDER_REFUSED", false],
  ["a redirect", 302, "<html>moved</html>", "PROVIDER_REFUSED", false],
  ["a long conversation", 400, errorBody("too long", { code: "context_length_exceeded" }), "CONTEXT_EXCEEDED", false],
  [
    "a long conversation of a server without codes",
    400,
    { error: "the request exceeds the available context size" },
    "CONTEXT_EXCEEDED",
    false,
  ],
  ["a used up quota", 429, errorBody("pay", { code: "insufficient_quota" }), "PROVIDER_RATE_LIMITED", false],
  ["too many requests", 429, errorBody("slow down", { code: "rate_limit_exceeded" }), "PROVIDER_RATE_LIMITED", true],
  ["an error of the provider", 500, errorBody("oops"), "PROVIDER_ERROR", true],
  ["a gateway's page", 502, "<html><style>b{}</style><b>Bad   Gateway</b></html>", "PROVIDER_ERROR", true],
  ["no text at all", 503, "", "PROVIDER_ERROR", true],
  ["a request timeout", 408, errorBody("late"), "PROVIDER_ERROR", true],
  ["a conflict", 409, errorBody("locked"), "PROVIDER_ERROR", true],
])("%s is told as such, without the key", async (_name, status, body, reason, retryable) => {
  const { model } = await setUp(fail(status, body));
  const { events, error } = await call(model);
  expect(events).toEqual([]);
  expect(error).toMatchObject({ name: "ModelError", reason, retryable });
  const { message, cause } = error as Error;
  expect(message).toContain(String(status));
  expect(message).not.toMatch(/sk-|Bearer s|[<>]/);
  expect(cause).toBeUndefined();
});

test("a provider's text is cut at 500 characters", async () => {
  const { model } = await setUp(fail(400, errorBody("x".repeat(5_000))));
  expect(((await call(model)).error as Error).message.match(/x+/)![0]).toHaveLength(500);
});

test("an error whose text never ends is told all the same", async () => {
  const asked = gate();
  const { model, clock } = await setUp((response) => {
    response.writeHead(500, { "content-type": "text/plain" });
    response.write("oops");
    asked.resolve();
  });
  const done = call(model);
  await asked.promise;
  await expect.poll(() => clock.timers()).toBe(1);
  await clock.advance(5_000);
  expect((await done).error).toMatchObject({ reason: "PROVIDER_ERROR" });
});

test.each([
  ["retry-after-ms", "1500.5", 1_500.5],
  ["retry-after", "20", 20_000],
  ["retry-after", new Date(1_700_000_030_000).toUTCString(), 30_000],
  ["retry-after", new Date(1_600_000_000_000).toUTCString(), 0],
  ["retry-after", "soon", undefined],
])("%s: %s", async (header, value, retryAfterMs) => {
  const { model } = await setUp(fail(429, errorBody("slow down"), { [header]: value }));
  expect((await call(model)).error).toMatchObject({ reason: "PROVIDER_RATE_LIMITED", retryAfterMs });
});

test.each([
  ["http://HOST/v1", "/v1/chat/completions"],
  ["http://HOST/v1/", "/v1/chat/completions"],
  ["http://HOST", "/chat/completions"],
  ["http://HOST/openai?api-version=2024-10-21", "/openai/chat/completions?api-version=2024-10-21"],
])("the base URL %s is called at %s", async (baseUrl, called) => {
  const upstream = await startUpstream(stream(chunk({}, "stop"), DONE));
  const model = createOpenaiChatModel({ baseUrl: baseUrl.replace("HOST", new URL(upstream.baseUrl).host) });
  closers.push(() => model.close(), upstream.stop);
  await call(model);
  expect(upstream.requests).toMatchObject([{ url: called }]);
});

test.each([
  ["an object without a message", { error: { detail: "why" } }, '{"detail":"why"}'],
  ["a message that is no text", { error: { message: ["why"] } }, '["why"]'],
  ["another's JSON", { detail: "why" }, "(400)"],
  ["plain text", "why", ": why"],
])("an error in the shape of %s is told as far as it can be", async (_name, body, told) => {
  const { model } = await setUp(fail(400, body));
  const { message } = (await call(model)).error as Error;
  expect(message.slice(-told.length)).toBe(told);
});

test("a provider that is not there is unreachable", async () => {
  const upstream = await startUpstream();
  await upstream.stop();
  const model = createOpenaiChatModel({ baseUrl: upstream.baseUrl, apiKey: KEY });
  const { error } = await call(model);
  expect(error).toMatchObject({ reason: "PROVIDER_UNREACHABLE", retryable: true });
  expect((error as Error).message).toContain("ECONNREFUSED");
  await model.close();
});

test.each(["not a url", "ftp://example.org/v1"])(
  "a base URL that cannot be called is not tried again: %s",
  async (baseUrl) => {
    const model = createOpenaiChatModel({ baseUrl, apiKey: KEY });
    expect((await call(model)).error).toMatchObject({ reason: "PROVIDER_UNREACHABLE", retryable: false });
    await model.close();
  },
);

test("a connection cut before the answer is unreachable, in the middle it broke off, and the text is kept", async () => {
  const more = gate();
  const { model } = await setUp(
    (response) => void response.destroy(),
    async (response) => {
      openStream(response);
      response.write(chunk({ content: "half" }));
      await more.promise;
      response.destroy();
    },
  );
  expect((await call(model)).error).toMatchObject({ reason: "PROVIDER_UNREACHABLE", retryable: true });
  const iterator = model.stream(requestOf("hi"), new AbortController().signal)[Symbol.asyncIterator]();
  expect(await firstPiece(iterator)).toEqual({ kind: "text", text: "half" });
  more.resolve();
  await expect(firstPiece(iterator)).rejects.toMatchObject({ reason: "PROVIDER_BROKE_OFF", retryable: true });
});

test("a stream that ends without a reason broke off", async () => {
  const { model } = await setUp(stream(chunk({ content: "half" })), stream(chunk({ content: "half" }), DONE), stream());
  for (const text of ["half", "half", ""]) {
    const { events, error } = await call(model);
    expect(textOf(events)).toBe(text);
    expect(error).toMatchObject({ reason: "PROVIDER_BROKE_OFF", retryable: true });
  }
});

test.each([
  ["no JSON", stream(chunk({ content: "a" }), "data: {oops\n\n"), "a"],
  ["JSON of another shape", stream(sse({ choices: [null] })), ""],
  ["JSON that is no object", stream("data: 42\n\n"), ""],
  [
    "a page",
    (response: Parameters<Respond>[0]) =>
      void response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end("<h1>hi</h1>"),
    "",
  ],
  [
    "a whole answer",
    (response: Parameters<Respond>[0]) =>
      void response.writeHead(200, { "content-type": "application/json" }).end("{}"),
    "",
  ],
])("%s instead of an event is garbage", async (_name, respond, text) => {
  const { model, upstream } = await setUp(respond);
  const { events, error } = await call(model);
  expect(textOf(events)).toBe(text);
  expect(error).toMatchObject({ name: "ModelError", reason: "PROVIDER_GARBAGE", retryable: true });
  await model.close();
  await upstream.idle();
});

test("odd chunks are passed over", async () => {
  const { model } = await setUp(
    stream(
      ": a comment\n\n",
      sse({}),
      sse({ choices: null }),
      sse({ choices: [{ delta: null }] }),
      sse({ choices: [{ delta: { content: 5, tool_calls: null } }] }),
      chunk({ content: "a" }),
      sse({ choices: [{ delta: {}, finish_reason: "eos" }], usage: null }),
    ),
  );
  expect((await call(model)).events).toEqual([
    { kind: "text", text: "a" },
    { kind: "stop", reason: "end" },
  ]);
});

test("an error in the middle of the stream is told as what it is", async () => {
  const { model } = await setUp(
    stream(chunk({ content: "a" }), sse(errorBody("overloaded", { type: "server_error" }))),
    stream(sse(errorBody("slow down", { code: "rate_limit_exceeded" }))),
  );
  expect(await call(model)).toMatchObject({
    events: [{ text: "a" }],
    error: { reason: "PROVIDER_ERROR", retryable: true },
  });
  expect((await call(model)).error).toMatchObject({ reason: "PROVIDER_RATE_LIMITED" });
});

test("a comment of the provider is a sign of life", async () => {
  const { model } = await setUp((response) => {
    openStream(response);
    response.write(": processing\n\n");
  });
  const iterator = model.stream(requestOf("hi"), new AbortController().signal)[Symbol.asyncIterator]();
  expect((await iterator.next()).value).toEqual({ kind: "pulse" });
  await iterator.return?.();
});

test("events are read however they are cut, in any of the three line ends", async () => {
  for (const end of ["\n", "\r\n", "\r"]) {
    const bytes = Buffer.from((chunk({ content: "größe 😀 " }) + chunk({ content: "b" }) + DONE).replaceAll("\n", end));
    const { model } = await setUp(async (response) => {
      openStream(response);
      for (const byte of bytes) await new Promise((resolve) => response.write(Buffer.of(byte), resolve));
      response.end();
    });
    expect(textOf((await call(model)).events)).toBe("größe 😀 b");
  }
});

test("an event that never ends is given up at 8 MiB", async () => {
  const { model } = await setUp(async (response) => {
    openStream(response);
    response.write("data: ");
    await flood(response, Buffer.alloc(1024 * 1024, "x"));
  });
  expect((await call(model)).error).toMatchObject({ reason: "PROVIDER_GARBAGE", retryable: false });
});

test("a stream left open after its end is not waited for", async () => {
  const { model, clock } = await setUp((response) => {
    openStream(response);
    response.write(chunk({ content: "a" }) + chunk({}, "stop"));
  });
  const iterator = model.stream(requestOf("hi"), new AbortController().signal)[Symbol.asyncIterator]();
  expect(await firstPiece(iterator)).toEqual({ kind: "text", text: "a" });
  const end = firstPiece(iterator);
  await clock.advance(5_000);
  expect(await end).toEqual({ kind: "stop", reason: "end" });
});

test("an abort ends a call at once with its reason, and its connection", async () => {
  const silent = gate();
  const { model, upstream } = await setUp((response) => {
    openStream(response);
    response.write(chunk({ content: "a" }));
    silent.resolve();
  });
  const controller = new AbortController();
  const iterator = model.stream(requestOf("hi"), controller.signal)[Symbol.asyncIterator]();
  await firstPiece(iterator);
  const next = firstPiece(iterator);
  const reason = new Error("cancelled");
  controller.abort(reason);
  await expect(next).rejects.toBe(reason);
  await upstream.idle();
});

test("an abort before the head of the answer ends the call too", async () => {
  const asked = gate();
  const { model, upstream } = await setUp(() => asked.resolve());
  const controller = new AbortController();
  const done = call(model, requestOf("hi"), controller.signal);
  await asked.promise;
  const reason = new Error("cancelled");
  controller.abort(reason);
  expect((await done).error).toBe(reason);
  await upstream.idle();
});

test("a reader that leaves closes the connection", async () => {
  const { model, upstream } = await setUp((response) => {
    openStream(response);
    response.write(chunk({ content: "a" }));
  });
  const iterator = model.stream(requestOf("hi"), new AbortController().signal)[Symbol.asyncIterator]();
  await firstPiece(iterator);
  await iterator.return?.();
  await upstream.idle();
  expect(upstream.openConnections()).toBe(0);
});

test("a provider that never stops talking is held back by a reader that does not read", async () => {
  const blocked = Promise.withResolvers<number>();
  const piece = chunk({ content: "x".repeat(10_000) });
  const { model } = await setUp(async (response) => {
    openStream(response);
    await flood(response, piece, () => blocked.resolve(response.socket!.bytesWritten));
  });
  const iterator = model.stream(requestOf("hi"), new AbortController().signal)[Symbol.asyncIterator]();
  await firstPiece(iterator);
  expect(await blocked.promise).toBeLessThan(50 * 1024 * 1024);
  await iterator.return?.();
});

test("closing aborts calls under way, frees every connection, and refuses new ones", async () => {
  const { model, upstream } = await setUp((response) => {
    openStream(response);
    response.write(chunk({ content: "a" }));
  });
  const iterator = model.stream(requestOf("hi"), new AbortController().signal)[Symbol.asyncIterator]();
  await firstPiece(iterator);
  const next = firstPiece(iterator);
  next.catch(() => undefined);
  await model.close();
  await expect(next).rejects.toMatchObject({ name: "ModelError", retryable: false });
  await upstream.idle();
  expect((await call(model)).error).toMatchObject({ name: "ModelError", retryable: false });
});

test("calls one after the other share a connection; 250 at once have one each", async () => {
  const all = gate();
  let waiting = 0;
  const whole = stream(chunk({ content: "a" }), chunk({}, "stop"), DONE);
  const { model, upstream } = await setUp(whole, whole, whole, async (response) => {
    if (++waiting === 250) all.resolve();
    await all.promise;
    openStream(response);
    response.end(chunk({ content: "b" }) + chunk({}, "stop") + DONE);
  });
  for (let i = 0; i < 3; i++) await call(model);
  expect(upstream.openConnections()).toBe(1);
  const answers = await Promise.all(Array.from({ length: 250 }, () => call(model)));
  expect(answers.every(({ events }) => textOf(events) === "b")).toBe(true);
});
