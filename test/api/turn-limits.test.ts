import { describe, expect, it } from "vitest";
import { ApprovalMode, TurnEndReason } from "../../src/client/client.ts";
import { createSession, endOf, kindsOf, listMessages, replay, runTurn, textOf, watchUntil } from "./observe.ts";
import { asksForNow, says } from "./scripted-upstream.ts";
import { expectClosed, useTurns } from "./turn-engine.ts";

/** Nobody is asked in this mode. */
const RESTRICTED = ApprovalMode.RESTRICTED;

const turns = useTurns();

describe("limits", () => {
  it("steps: a model that always asks for a tool is stopped after so many", async () => {
    await turns.start();
    turns.upstream.script((answer) => asksForNow(answer, 2));
    const { id: sessionId } = await createSession(turns.engine, { approvalMode: RESTRICTED, limits: { maxSteps: 3 } });
    const turn = await runTurn(turns.engine, sessionId, "go");
    expect(turn).toMatchObject({
      steps: 3,
      endReason: TurnEndReason.LIMIT_REACHED,
      error: { reason: "STEPS_EXHAUSTED", retryable: true },
      usage: { inputTokens: 240n, outputTokens: 60n, modelCalls: 3n },
    });
    expect(turns.upstream.requests).toHaveLength(3);
    const events = await replay(turns.engine, sessionId);
    expectClosed(events);
    expect(kindsOf(events).filter((kind) => kind === "stepStarted")).toHaveLength(3);
    expect(kindsOf(events).filter((kind) => kind === "toolCallStarted")).toHaveLength(6);
  });

  it("steps: fifty, where nothing is said", async () => {
    await turns.start();
    turns.upstream.script((answer) => asksForNow(answer));
    const { id: sessionId } = await createSession(turns.engine, { approvalMode: RESTRICTED });
    expect(await runTurn(turns.engine, sessionId, "go")).toMatchObject({
      steps: 50,
      error: { reason: "STEPS_EXHAUSTED" },
    });
  });

  it("tokens: no step begins once a turn has used them", async () => {
    await turns.start();
    turns.upstream.script((answer) => asksForNow(answer));
    const { id: sessionId } = await createSession(turns.engine, {
      approvalMode: RESTRICTED,
      limits: { maxTokens: 250n },
    });
    expect(await runTurn(turns.engine, sessionId, "go")).toMatchObject({
      steps: 3,
      endReason: TurnEndReason.LIMIT_REACHED,
      error: { reason: "TOKENS_EXHAUSTED" },
    });
    // The next turn has its own.
    turns.upstream.script((answer) => says(answer, "ok"));
    expect((await runTurn(turns.engine, sessionId, "more")).endReason).toBe(TurnEndReason.COMPLETED);
    expect((await turns.engine.sessions.getSession({ sessionId })).session?.usage).toMatchObject({
      inputTokens: 250n,
      outputTokens: 61n,
      modelCalls: 4n,
    });
  });

  it("time: a turn that takes too long is stopped in the middle of its answer", async () => {
    await turns.start({ clock: turns.clock });
    const { id: sessionId } = await createSession(turns.engine, {
      approvalMode: RESTRICTED,
      limits: { maxWorkingTime: { seconds: 60n } },
    });
    const turn = await turns.startHalf(sessionId);
    await turns.clock.advance(60_000);
    expect(await endOf(turns.engine, turn)).toMatchObject({
      endReason: TurnEndReason.LIMIT_REACHED,
      error: { reason: "TIME_EXHAUSTED", retryable: true },
    });
    const [, partial] = await listMessages(turns.engine, sessionId);
    expect([textOf(partial), partial?.status]).toEqual(["half", 2]);
    expectClosed(await replay(turns.engine, sessionId));
    while (turns.upstream.open() > 0) await new Promise((resolve) => setImmediate(resolve));
  });

  it("time: tools count too", async () => {
    await turns.start({ clock: turns.clock });
    turns.upstream.script((answer) => (answer.call("a", "hang", "{}"), answer.end("tool_calls")));
    const { id: sessionId } = await createSession(turns.engine, {
      approvalMode: RESTRICTED,
      limits: { maxWorkingTime: { seconds: 60n } },
    });
    const turn = await turns.startTurn(sessionId);
    await watchUntil(turns.engine, sessionId, ({ payload }) => payload.case === "toolCallStarted");
    await turns.clock.advance(61_000);
    expect((await endOf(turns.engine, turn)).error?.reason).toBe("TIME_EXHAUSTED");
    expectClosed(await replay(turns.engine, sessionId));
  });

  it("silence in the middle of an answer fails the turn; what was said is kept, and the session goes on", async () => {
    await turns.start({ clock: turns.clock });
    const { id: sessionId } = await createSession(turns.engine, {
      approvalMode: RESTRICTED,
      limits: { maxSilence: { seconds: 5n } },
    });
    const turn = await turns.startHalf(sessionId);
    await turns.clock.whenSet(5000);
    await turns.clock.advance(5000);
    expect(await endOf(turns.engine, turn)).toMatchObject({
      endReason: TurnEndReason.FAILED,
      error: { reason: "PROVIDER_STALLED", retryable: true },
    });
    const [, partial] = await listMessages(turns.engine, sessionId);
    expect([textOf(partial), partial?.status]).toEqual(["half", 3]);
    turns.upstream.script((answer) => says(answer, "ok"));
    expect((await endOf(turns.engine, (await turns.engine.messages.retryTurn({ sessionId })).turn)).endReason).toBe(
      TurnEndReason.COMPLETED,
    );
    expect(turns.upstream.requests.at(-1)?.messages.map(({ content }) => content)).toEqual(["go"]);
  });

  it("silence before the first word is tried again, visibly, then fails the turn", async () => {
    await turns.start({ clock: turns.clock });
    turns.upstream.script(() => undefined);
    const { id: sessionId } = await createSession(turns.engine, {
      approvalMode: RESTRICTED,
      limits: { maxSilenceBeforeFirst: { seconds: 7n } },
    });
    const turn = await turns.startTurn(sessionId);
    for (let tries = 1; tries <= 5; tries++) {
      while (turns.upstream.requests.length < tries) await turns.clock.advance(1);
      await turns.clock.whenSet(7000);
      await turns.clock.advance(7000);
    }
    expect(await endOf(turns.engine, turn)).toMatchObject({
      endReason: TurnEndReason.FAILED,
      error: { reason: "PROVIDER_STALLED" },
      usage: { modelCalls: 5n },
    });
    const events = await replay(turns.engine, sessionId);
    const retries = events.flatMap(({ payload }) => (payload.case === "retryScheduled" ? [payload.value.attempt] : []));
    expect(retries).toEqual([1, 2, 3, 4]);
    expect(kindsOf(events)).not.toContain("messageStarted");
    expectClosed(events);
  });

  it("a message of more than 1 MiB is cut, and the turn says so", async () => {
    await turns.start();
    turns.upstream.script((answer) => {
      for (let i = 0; i < 40; i++) answer.text("é".repeat(16 * 1024));
      answer.end();
    });
    const { id: sessionId } = await createSession(turns.engine);
    const turn = await runTurn(turns.engine, sessionId, "go");
    expect(turn).toMatchObject({ endReason: TurnEndReason.LIMIT_REACHED, error: { reason: "MESSAGE_TOO_LARGE" } });
    const [, said] = await listMessages(turns.engine, sessionId);
    expect(textOf(said)).toBe("é".repeat(512 * 1024));
    expectClosed(await replay(turns.engine, sessionId));
  });
});
