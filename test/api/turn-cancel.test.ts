import { describe, expect, it } from "vitest";
import { ToolCallState, TurnEndReason, TurnState } from "../../src/client/client.ts";
import {
  createSession,
  endOf,
  kindsOf,
  listMessages,
  refusalOf,
  replay,
  runTurn,
  stateOf,
  textOf,
  toRefusal,
  watchUntil,
} from "./observe.ts";
import { asksForNow, isValidHistory, says } from "./scripted-upstream.ts";
import type { Tool } from "../../src/tool/tool.ts";
import { expectClosed, hang, useTurns } from "./turn-engine.ts";

const turns = useTurns();

describe("CancelTurn", () => {
  it("ends a turn CANCELLED once, keeps what was shown, and is answered the same way however often", async () => {
    await turns.start();
    const { id: sessionId } = await createSession(turns.engine);
    const turn = await turns.startHalf(sessionId);
    const calls = [{}, { turnId: turn.id }, {}, { turnId: turn.id }, { turnId: turn.id }];
    const answers = await Promise.allSettled(
      calls.map((call) => turns.engine.messages.cancelTurn({ sessionId, ...call })),
    );
    const told = answers.flatMap((answer) => (answer.status === "fulfilled" ? [answer.value.turn] : []));
    const ended = { id: turn.id, state: TurnState.ENDED, endReason: TurnEndReason.CANCELLED };
    expect(told).toMatchObject(told.map(() => ended));
    // Who comes after the end and names no turn is told that none runs.
    const refusals = answers.flatMap((answer) =>
      answer.status === "rejected" ? [toRefusal(answer.reason).reason] : [],
    );
    expect(refusals).toEqual(refusals.map(() => "NO_TURN_RUNNING"));
    expect(answers[0]?.status).toBe("fulfilled");
    const events = await replay(turns.engine, sessionId);
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
    const messages = await listMessages(turns.engine, sessionId);
    expect(messages.map((message) => [textOf(message), message.status])).toEqual([
      ["go", 1],
      ["half", 2],
    ]);
    while (turns.upstream.open() > 0) await new Promise((resolve) => setImmediate(resolve));
    expect(await refusalOf(turns.engine.messages.cancelTurn({ sessionId }))).toMatchObject({
      code: "FAILED_PRECONDITION",
      reason: "NO_TURN_RUNNING",
    });
    const again = await turns.engine.messages.cancelTurn({ sessionId, turnId: turn.id });
    expect(again.turn).toMatchObject({ id: turn.id, endReason: TurnEndReason.CANCELLED });
    // The cancelled text is not sent to the model again.
    turns.upstream.script((answer) => says(answer, "ok"));
    await runTurn(turns.engine, sessionId, "next");
    expect(turns.upstream.requests.at(-1)?.messages.map(({ role, content }) => [role, content])).toEqual([
      ["user", "go"],
      ["user", "next"],
    ]);
    expect(await replay(turns.engine, sessionId).then((all) => all.slice(0, events.length))).toEqual(events);
  });

  it("is refused on an idle session, and changes nothing", async () => {
    await turns.start();
    const { id: sessionId } = await createSession(turns.engine);
    expect(await refusalOf(turns.engine.messages.cancelTurn({ sessionId }))).toMatchObject({
      code: "FAILED_PRECONDITION",
      reason: "NO_TURN_RUNNING",
      metadata: { session_id: sessionId },
    });
    await runTurn(turns.engine, sessionId, "go");
    const before = await stateOf(turns.engine, sessionId);
    expect(await refusalOf(turns.engine.messages.cancelTurn({ sessionId }))).toMatchObject({
      reason: "NO_TURN_RUNNING",
    });
    const { turn } = await turns.engine.messages.cancelTurn({ sessionId, turnId: before.turns[0]!.id });
    expect(turn?.endReason).toBe(TurnEndReason.COMPLETED);
    expect(await stateOf(turns.engine, sessionId)).toEqual(before);
  });

  it("does not know a turn of another session", async () => {
    await turns.start();
    const { id: mine } = await createSession(turns.engine);
    const { id: theirs } = await createSession(turns.engine);
    const turn = await turns.startHalf(theirs);
    expect(await refusalOf(turns.engine.messages.cancelTurn({ sessionId: mine, turnId: turn.id }))).toMatchObject({
      reason: "TURN_NOT_FOUND",
    });
    expect(await refusalOf(turns.engine.messages.getTurn({ sessionId: mine, turnId: turn.id }))).toMatchObject({
      reason: "TURN_NOT_FOUND",
    });
    expect((await turns.engine.messages.getTurn({ sessionId: theirs, turnId: turn.id })).turn?.state).toBe(
      TurnState.RUNNING,
    );
  });

  it("closes tool calls that run and that were asked for, and the next call has a valid history", async () => {
    await turns.start();
    const { id: sessionId } = await createSession(turns.engine);
    turns.upstream.script((answer) => {
      answer.text("let me see");
      answer.call("a", "hang", "{}");
      answer.call("b", "now", "{}");
      answer.call("c", "hang", '{"x":1}');
      answer.end("tool_calls");
    });
    const turn = await turns.startTurn(sessionId);
    await watchUntil(turns.engine, sessionId, ({ payload }) => payload.case === "toolCallEnded");
    await turns.engine.messages.cancelTurn({ sessionId });
    const events = await replay(turns.engine, sessionId);
    expectClosed(events);
    const ended = events.flatMap(({ payload }) => (payload.case === "toolCallEnded" ? [payload.value.state] : []));
    expect(ended.toSorted((a, b) => a - b)).toEqual([
      ToolCallState.SUCCEEDED,
      ToolCallState.CANCELLED,
      ToolCallState.CANCELLED,
    ]);
    expect(events.at(-1)?.payload).toMatchObject({ case: "turnEnded", value: { reason: TurnEndReason.CANCELLED } });
    turns.upstream.script((answer) => says(answer, "ok"));
    await runTurn(turns.engine, sessionId, "next");
    const { messages } = turns.upstream.requests.at(-1)!;
    expect(isValidHistory(messages)).toBe(true);
    expect(messages.filter(({ role }) => role === "tool")).toHaveLength(3);
    expect(turn.id).not.toBe("");
  });

  it("at any moment of a turn that runs tools leaves everything closed and a valid history", async () => {
    await turns.start();
    turns.upstream.script((answer, _request, number) => {
      answer.text(`step ${number}`);
      asksForNow(answer, 3);
    });
    const { id: sessionId } = await createSession(turns.engine, { limits: { maxSteps: 10_000 } });
    for (let place = 1; place <= 24; place++) {
      const turn = await turns.startTurn(sessionId);
      let count = 0;
      await watchUntil(turns.engine, sessionId, () => ++count === place, turn.firstSeq - 1n);
      const { turn: cancelled } = await turns.engine.messages.cancelTurn({ sessionId });
      expect(cancelled).toMatchObject({ id: turn.id, endReason: TurnEndReason.CANCELLED });
    }
    expectClosed(await replay(turns.engine, sessionId));
    for (const { messages } of turns.upstream.requests) expect(isValidHistory(messages)).toBe(true);
    expect((await turns.engine.engine.getStatus({})).runningTurns).toBe(0);
  });

  it("answers after wait with a turn that is still being stopped", async () => {
    let release: (() => void) | undefined;
    const deaf: Tool = {
      ...hang,
      name: "deaf",
      run: () => new Promise((resolve) => (release = () => resolve({ text: "done" }))),
    };
    await turns.start({ tools: [deaf] });
    const { id: sessionId } = await createSession(turns.engine);
    turns.upstream.script((answer) => (answer.call("a", "deaf", "{}"), answer.end("tool_calls")));
    await turns.startTurn(sessionId);
    await watchUntil(turns.engine, sessionId, ({ payload }) => payload.case === "toolCallStarted");
    // A tool that does not listen holds nobody up.
    const { turn } = await turns.engine.messages.cancelTurn({ sessionId, wait: { seconds: 0n, nanos: 0 } });
    expect([TurnState.CANCELLING, TurnState.ENDED]).toContain(turn?.state);
    expect((await endOf(turns.engine, turn)).endReason).toBe(TurnEndReason.CANCELLED);
    release?.();
    expectClosed(await replay(turns.engine, sessionId));
  });
});
