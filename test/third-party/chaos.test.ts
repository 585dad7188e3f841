import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ChaosConfig, ChatCompletionRequest, Fixture } from "@copilotkit/aimock";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TurnEndReason, type Event, type Turn } from "../../src/client/client.ts";
import { createSession, endOf, kindsOf, listMessages, replay, text, textOf } from "../api/observe.ts";
import { startTestEngine, type TestEngine } from "../api/test-engine.ts";
import { startAimock, type Aimock } from "../helpers/aimock.ts";
import { makeTempDir } from "../helpers/engine-process.ts";
import { ROOT, SAID } from "./place.ts";

/** So often a call is made that fails in a way that may pass. */
const TRIES = 5;

let upstream: Aimock;
let engine: TestEngine;

beforeEach(async () => {
  upstream = await startAimock();
  // Without the random part, no wait between two tries: the time is the same each time, which is none.
  engine = await startTestEngine({ openai: upstream.baseUrl, parts: { random: () => 0 } });
});

afterEach(async () => {
  await engine.dispose();
  await upstream.stop();
});

async function say(sessionId: string, words = "hello"): Promise<Turn> {
  return endOf(engine, (await engine.messages.startTurn({ sessionId, parts: text(words) })).turn);
}

function retriesOf(events: readonly Event[]) {
  return events.flatMap(({ payload }) => (payload.case === "retryScheduled" ? [payload.value] : []));
}

/** Whatever happened to a session, it can be gone on with. */
async function expectGoesOn(sessionId: string): Promise<void> {
  upstream.mock.clearChaos().clearFixtures();
  upstream.mock.onMessage(/.*/, { content: SAID });
  expect((await say(sessionId, "next")).endReason).toBe(TurnEndReason.COMPLETED);
  expect(textOf((await listMessages(engine, sessionId)).at(-1))).toBe(SAID);
  const events = await replay(engine, sessionId);
  const turns = (kind: string): string[] =>
    events.filter(({ payload }) => payload.case === kind).map(({ turnId }) => turnId);
  expect(turns("turnEnded")).toEqual(turns("turnStarted"));
}

const chaos: readonly [string, ChaosConfig, string][] = [
  ["answers 500", { dropRate: 1 }, "PROVIDER_ERROR"],
  ["answers with broken JSON", { malformedRate: 1 }, "PROVIDER_GARBAGE"],
  ["hangs up", { disconnectRate: 1 }, "PROVIDER_UNREACHABLE"],
];

it.each(chaos)(
  "an upstream that always %s: every try is told, then the turn fails, and the session goes on",
  async (_what, config, reason) => {
    upstream.mock.onMessage(/.*/, { content: SAID }).setChaos(config);
    const { id: sessionId } = await createSession(engine);
    const turn = await say(sessionId);
    expect(turn).toMatchObject({
      endReason: TurnEndReason.FAILED,
      error: { reason, retryable: true },
      usage: { modelCalls: BigInt(TRIES) },
    });
    const events = await replay(engine, sessionId);
    expect(kindsOf(events).at(-1)).toBe("turnEnded");
    const retries = retriesOf(events);
    expect(retries.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4]);
    expect(retries).toMatchObject(retries.map(() => ({ maxAttempts: TRIES, error: { reason, retryable: true } })));
    expect(events.filter(({ payload }) => payload.case === "messageStarted")).toEqual([]);
    expect(upstream.mock.getRequests()).toHaveLength(TRIES);
    await expectGoesOn(sessionId);
  },
);

it.each(chaos)("an upstream that %s once, and then does not: the turn is whole", async (_what, config, reason) => {
  upstream.mock.addFixture({ match: { sequenceIndex: 0 }, response: { content: "never sent" }, chaos: config });
  upstream.mock.onMessage(/.*/, { content: SAID });
  const { id: sessionId } = await createSession(engine);
  expect(await say(sessionId)).toMatchObject({ endReason: TurnEndReason.COMPLETED, usage: { modelCalls: 2n } });
  expect(retriesOf(await replay(engine, sessionId))).toMatchObject([{ attempt: 1, error: { reason } }]);
  expect((await listMessages(engine, sessionId)).map(textOf)).toEqual(["hello", SAID]);
});

it("429 with retry-after: the engine waits as long as it was asked to, says so, and succeeds", async () => {
  const limited: Fixture = {
    match: { sequenceIndex: 0 },
    response: { error: { message: "slow down" }, status: 429, retryAfter: 1 },
  };
  upstream.mock.addFixture(limited).onMessage(/.*/, { content: SAID });
  const { id: sessionId } = await createSession(engine);
  const before = performance.now();
  const turn = await say(sessionId);
  expect(performance.now() - before).toBeGreaterThanOrEqual(990);
  expect(turn).toMatchObject({ endReason: TurnEndReason.COMPLETED, usage: { modelCalls: 2n } });
  const retries = retriesOf(await replay(engine, sessionId));
  expect(retries).toMatchObject([
    { attempt: 1, delay: { seconds: 1n }, error: { reason: "PROVIDER_RATE_LIMITED", retryable: true } },
  ]);
  expect(retries[0]?.error?.message).toContain("slow down");
  expect(textOf((await listMessages(engine, sessionId)).at(-1))).toBe(SAID);
});

it("429 that asks for an hour: the turn fails at once", async () => {
  upstream.mock.onMessage(/.*/, { error: { message: "come back later" }, status: 429, retryAfter: 3600 });
  const { id: sessionId } = await createSession(engine);
  expect(await say(sessionId)).toMatchObject({
    endReason: TurnEndReason.FAILED,
    error: { reason: "PROVIDER_RATE_LIMITED" },
  });
  expect(upstream.mock.getRequests()).toHaveLength(1);
  await expectGoesOn(sessionId);
});

it("a key that is refused: the turn fails at once, and is not said to be worth another try", async () => {
  upstream.mock.onMessage(/.*/, {
    error: { message: "Incorrect API key provided: sk-test", type: "invalid_request_error" },
    status: 401,
  });
  const { id: sessionId } = await createSession(engine);
  const turn = await say(sessionId);
  expect(turn).toMatchObject({
    endReason: TurnEndReason.FAILED,
    error: { reason: "PROVIDER_UNAUTHORIZED", retryable: false },
  });
  expect(turn.error?.message).not.toContain("sk-test");
  expect(upstream.mock.getRequests()).toHaveLength(1);
  await expectGoesOn(sessionId);
});

describe("an answer that breaks off in the middle", () => {
  beforeEach(() => {
    upstream.mock.addFixture({
      match: { sequenceIndex: 0 },
      response: { content: SAID },
      chunkSize: 10,
      latency: 1,
      truncateAfterChunks: 5,
    });
    upstream.mock.onMessage(/.*/, { content: SAID });
  });

  it("is kept as far as it came; the turn fails, and RetryTurn says it whole", async () => {
    const { id: sessionId } = await createSession(engine);
    const turn = await say(sessionId);
    expect(turn).toMatchObject({
      endReason: TurnEndReason.FAILED,
      error: { reason: "PROVIDER_BROKE_OFF", retryable: true },
    });
    const [, partial] = await listMessages(engine, sessionId);
    expect(partial?.status).toBe(3);
    const said = textOf(partial);
    expect(SAID.startsWith(said.replace(/\ufffd$/, ""))).toBe(true);
    expect(said.length).toBeGreaterThan(10);
    const events = await replay(engine, sessionId);
    expect(events.map(({ payload }) => (payload.case === "textDelta" ? payload.value.text : "")).join("")).toBe(said);
    expect(retriesOf(events)).toEqual([]);
    const retried = await endOf(engine, (await engine.messages.retryTurn({ sessionId })).turn);
    expect(retried.endReason).toBe(TurnEndReason.COMPLETED);
    expect((await listMessages(engine, sessionId)).map((message) => [message.status, textOf(message)])).toEqual([
      [1, "hello"],
      [3, said],
      [1, SAID],
    ]);
  });

  it("is asked for again where the session wants that", async () => {
    const { id: sessionId } = await createSession(engine, { retryPartial: true });
    expect(await say(sessionId)).toMatchObject({ endReason: TurnEndReason.COMPLETED, usage: { modelCalls: 2n } });
    const messages = await listMessages(engine, sessionId);
    expect(messages.map(({ status }) => status)).toEqual([1, 3, 1]);
    expect(textOf(messages.at(-1))).toBe(SAID);
    expect(retriesOf(await replay(engine, sessionId))).toMatchObject([
      { attempt: 1, error: { reason: "PROVIDER_BROKE_OFF" } },
    ]);
  });
});

it("tools: what the upstream asks for is run and told, call by call, over a turn of several steps", async () => {
  upstream.mock.addFixture({
    match: { hasToolResult: false },
    response: {
      content: "Let me look.",
      toolCalls: [
        { name: "now", arguments: '{"timezone":"Europe/Paris"}' },
        { name: "now", arguments: "{}" },
      ],
    },
  });
  upstream.mock.addFixture({ match: { hasToolResult: true }, response: { content: SAID } });
  const { id: sessionId } = await createSession(engine);
  expect(await say(sessionId)).toMatchObject({ endReason: TurnEndReason.COMPLETED, steps: 2 });
  const messages = await listMessages(engine, sessionId);
  expect(messages.map(({ role }) => role)).toEqual([2, 3, 4, 4, 3]);
  const { messages: sent } = upstream.mock.getLastRequest()!.body as ChatCompletionRequest;
  expect(sent.map(({ role }) => role)).toEqual(["user", "assistant", "tool", "tool"]);
  expect(sent[1]?.tool_calls?.map(({ id }) => id)).toEqual(sent.slice(2).map((message) => message.tool_call_id));
});

describe("aimock in its own process, with its flags", () => {
  it("under a storm of every failure each turn ends once, with the whole text or a reason, and the session goes on", async () => {
    const folder = makeTempDir("fixtures");
    writeFileSync(
      join(folder, "all.json"),
      JSON.stringify({ fixtures: [{ match: { userMessage: "hello" }, response: { content: SAID } }] }),
    );
    const flags = [
      "--latency",
      "1",
      "--chunk-size",
      "7",
      "--chaos-drop",
      "0.25",
      "--chaos-malformed",
      "0.2",
      "--chaos-disconnect",
      "0.3",
      "--chaos-latency",
      "3",
    ];
    const mock = spawn(join(ROOT, "node_modules/.bin/llmock"), ["--port", "0", "--fixtures", folder, ...flags], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const url = await new Promise<string>((resolve) => {
      let said = "";
      mock.stdout.setEncoding("utf8").on("data", (chunk: string) => {
        said += chunk;
        const found = /http:\/\/[\d.]+:\d+/.exec(said)?.[0];
        if (found !== undefined) resolve(found);
      });
    });
    const stormy = await startTestEngine({ openai: `${url}/v1`, parts: { random: () => 0 } });
    try {
      const sessions = await Promise.all(Array.from({ length: 5 }, () => createSession(stormy)));
      const turns = await Promise.all(
        sessions.map(async ({ id: sessionId }) => {
          const ended: Turn[] = [];
          for (let i = 0; i < 6; i++)
            ended.push(
              await endOf(stormy, (await stormy.messages.startTurn({ sessionId, parts: text("hello") })).turn),
            );
          return ended;
        }),
      );
      const reasons = turns
        .flat()
        .map(({ endReason, error }) => (endReason === TurnEndReason.COMPLETED ? "" : error?.reason));
      for (const reason of reasons)
        expect(["", "PROVIDER_ERROR", "PROVIDER_GARBAGE", "PROVIDER_UNREACHABLE"]).toContain(reason);
      expect(reasons).toContain("");
      for (const { id: sessionId } of sessions) {
        const answers = (await listMessages(stormy, sessionId)).filter(({ role }) => role === 3);
        expect(answers.map(textOf)).toEqual(answers.map(() => SAID));
        const events = await replay(stormy, sessionId);
        expect(kindsOf(events).filter((kind) => kind === "turnEnded")).toHaveLength(6);
      }
      const retries = (await Promise.all(sessions.map(({ id }) => replay(stormy, id)))).flatMap(retriesOf);
      expect(retries.length).toBeGreaterThan(0);
      expect((await stormy.engine.getStatus({})).runningTurns).toBe(0);
    } finally {
      await stormy.dispose();
      mock.kill();
    }
  });
});
