import { createClient } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { MessageService, TurnEndReason, TurnState } from "../../src/client/client.ts";
import { createSession, kindsOf, listMessages, readUntil, replay, runTurn, textOf } from "./observe.ts";
import { plainTransport } from "./methods.ts";
import { isValidHistory, says, type Answer } from "./scripted-upstream.ts";
import { expectClosed, useTurns } from "./turn-engine.ts";

const turns = useTurns();

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
    await turns.start();
    turns.upstream.script((answer, { messages }) => {
      if (messages.at(-1)?.role === "tool") return says(answer, "done");
      answer.call("a", "now", argumentsJson);
      answer.end("tool_calls");
    });
    const { id: sessionId } = await createSession(turns.engine);
    const turn = await runTurn(turns.engine, sessionId, "go");
    expect(turn.state).toBe(TurnState.ENDED);
    expectClosed(await replay(turns.engine, sessionId));
    for (const { messages } of turns.upstream.requests) expect(isValidHistory(messages)).toBe(true);
    // Who speaks JSON can read it, too: the messages and the log.
    const { events } = await readUntil(
      (signal) =>
        createClient(MessageService, plainTransport(turns.engine, { useBinaryFormat: false })).watchSession(
          { sessionId },
          { signal },
        ),
      (_seen, { payload }) => payload.case === "checkpoint" && payload.value.caughtUp,
    );
    expect(events).toEqual(await replay(turns.engine, sessionId));
    const { status, json } = await turns.engine.post(
      "parley.v1.SessionService/ListMessages",
      JSON.stringify({ sessionId }),
    );
    expect({ status, code: json["code"] }).toEqual({ status: 200, code: undefined });
    turns.upstream.script((answer) => says(answer, "next"));
    expect((await runTurn(turns.engine, sessionId, "next")).endReason).toBe(TurnEndReason.COMPLETED);
    expect(isValidHistory(turns.upstream.requests.at(-1)!.messages)).toBe(true);
  });

  it("that cuts a surrogate pair in two between chunks is shown whole", async () => {
    await turns.start();
    turns.upstream.script((answer) => says(answer, "a\ud83d", "\ude00b\ud83d", "\ude00", "\ud83d"));
    const { id: sessionId } = await createSession(turns.engine);
    await runTurn(turns.engine, sessionId, "go");
    const shown = "a😀b😀\ufffd";
    const events = await replay(turns.engine, sessionId);
    expect(events.map(({ payload }) => (payload.case === "textDelta" ? payload.value.text : "")).join("")).toBe(shown);
    expect(textOf((await listMessages(turns.engine, sessionId)).at(-1))).toBe(shown);
    expect(
      (await turns.engine.post("parley.v1.SessionService/ListMessages", JSON.stringify({ sessionId }))).text,
    ).toContain(shown);
  });

  it("that asks for a tool that does not exist is told so", async () => {
    await turns.start();
    turns.upstream.script((answer, { messages }) => {
      if (messages.at(-1)?.role === "tool") return says(answer, "sorry");
      answer.call("a", "rm -rf", "{}");
      answer.end("tool_calls");
    });
    const { id: sessionId } = await createSession(turns.engine);
    expect((await runTurn(turns.engine, sessionId, "go")).endReason).toBe(TurnEndReason.COMPLETED);
    const events = await replay(turns.engine, sessionId);
    expectClosed(events);
    expect(kindsOf(events)).not.toContain("toolCallStarted");
    expect(turns.upstream.requests[1]?.messages.at(-1)).toMatchObject({
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
    await turns.start();
    turns.upstream.script(fail);
    const { id: sessionId } = await createSession(turns.engine);
    const turn = await runTurn(turns.engine, sessionId, "go");
    expect(turn).toMatchObject({ endReason: TurnEndReason.FAILED, error: { reason } });
    expect(turn.error?.message).not.toMatch(/sk-test/);
    expectClosed(await replay(turns.engine, sessionId));
    turns.upstream.script((answer) => says(answer, "fine"));
    expect((await runTurn(turns.engine, sessionId, "next")).endReason).toBe(TurnEndReason.COMPLETED);
  });
});
