import { describe, expect, it } from "vitest";
import { TurnEndReason } from "../../src/client/client.ts";
import {
  createSession,
  endOf,
  kindsOf,
  listMessages,
  listTurns,
  noReaders,
  readUntil,
  refusalOf,
  runTurn,
  stateOf,
  text,
  textOf,
  toRefusal,
  watchUntil,
} from "./observe.ts";
import { says, type Answer } from "./scripted-upstream.ts";
import { isEnd, useTurns } from "./turn-engine.ts";

const turns = useTurns();

describe("one turn at a time", () => {
  it("one of twenty calls at once starts a turn; the others are told which", async () => {
    await turns.start();
    const { id: sessionId } = await createSession(turns.engine);
    turns.upstream.script((answer) => answer.text("half"));
    const outcomes = await Promise.allSettled(Array.from({ length: 20 }, (_, i) => turns.startTurn(sessionId, `${i}`)));
    const winners = outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value.id] : []));
    expect(winners).toHaveLength(1);
    const refusals = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [toRefusal(outcome.reason)] : []));
    const busy = {
      code: "FAILED_PRECONDITION",
      reason: "SESSION_BUSY",
      metadata: { session_id: sessionId, turn_id: winners[0] },
    };
    expect(refusals).toMatchObject(Array.from({ length: 19 }, () => busy));
    expect(await listTurns(turns.engine, sessionId)).toHaveLength(1);
    expect(await listMessages(turns.engine, sessionId)).toHaveLength(1);
    const { session } = await turns.engine.sessions.getSession({ sessionId });
    expect(session?.runningTurnId).toBe(winners[0]);
  });

  it("while one runs, every way to start another is refused and changes nothing", async () => {
    await turns.start();
    const { id: sessionId } = await createSession(turns.engine);
    const turn = await turns.startHalf(sessionId);
    const before = await stateOf(turns.engine, sessionId);
    for (const call of [
      () => turns.startTurn(sessionId),
      () =>
        turns.engine.messages.startTurn({ sessionId, parts: text("x"), idempotencyKey: "k", expectedTurnId: turn.id }),
      () => turns.engine.messages.retryTurn({ sessionId }),
      () => turns.engine.messages.retryTurn({ sessionId, expectedTurnId: turn.id }),
      () => readUntil((signal) => turns.engine.messages.sendMessage({ sessionId, parts: text("x") }, { signal })),
    ]) {
      expect(await refusalOf(call())).toMatchObject({
        code: "FAILED_PRECONDITION",
        reason: "SESSION_BUSY",
        metadata: { turn_id: turn.id },
      });
    }
    expect(await stateOf(turns.engine, sessionId)).toEqual(before);
    expect(turns.upstream.requests).toHaveLength(1);
    await turns.engine.messages.cancelTurn({ sessionId });
    // What was refused was not remembered.
    turns.upstream.script((answer) => says(answer, "ok"));
    const again = await turns.engine.messages.startTurn({
      sessionId,
      parts: text("x"),
      idempotencyKey: "k",
      expectedTurnId: turn.id,
    });
    expect((await endOf(turns.engine, again.turn)).endReason).toBe(TurnEndReason.COMPLETED);
  });

  it("RetryTurn of many at once starts one", async () => {
    await turns.start();
    const { id: sessionId } = await createSession(turns.engine);
    turns.upstream.script((answer) => answer.fail(401));
    await runTurn(turns.engine, sessionId, "go");
    turns.upstream.script((answer) => answer.text("half"));
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, () => turns.engine.messages.retryTurn({ sessionId })),
    );
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    const refusals = outcomes.flatMap((outcome) =>
      outcome.status === "rejected" ? [toRefusal(outcome.reason).reason] : [],
    );
    // Who lost the race learns that a turn runs, or that the last one is another now.
    for (const reason of refusals) expect(["SESSION_BUSY", "TURN_CHANGED"]).toContain(reason);
    expect(await listTurns(turns.engine, sessionId)).toHaveLength(2);
  });
});

describe("expected_turn_id", () => {
  it("is the last turn, or nothing happens", async () => {
    await turns.start();
    const { id: sessionId } = await createSession(turns.engine);
    const changed = { code: "FAILED_PRECONDITION", reason: "TURN_CHANGED" };
    expect(
      await refusalOf(turns.engine.messages.startTurn({ sessionId, parts: text("x"), expectedTurnId: "turn_none" })),
    ).toMatchObject({
      ...changed,
      metadata: { session_id: sessionId, turn_id: "" },
    });
    const first = await runTurn(turns.engine, sessionId, "one");
    const second = await endOf(
      turns.engine,
      (await turns.engine.messages.startTurn({ sessionId, parts: text("two"), expectedTurnId: first.id })).turn,
    );
    const before = await stateOf(turns.engine, sessionId);
    const stale = { sessionId, parts: text("x"), expectedTurnId: first.id };
    const metadata = { session_id: sessionId, turn_id: second.id };
    expect(await refusalOf(turns.engine.messages.startTurn(stale))).toMatchObject({ ...changed, metadata });
    expect(await refusalOf(readUntil((signal) => turns.engine.messages.sendMessage(stale, { signal })))).toMatchObject({
      ...changed,
      metadata,
    });
    expect(await stateOf(turns.engine, sessionId)).toEqual(before);
  });

  it("guards RetryTurn too", async () => {
    await turns.start();
    const { id: sessionId } = await createSession(turns.engine);
    turns.upstream.script((answer) => answer.fail(401));
    const first = await runTurn(turns.engine, sessionId, "one");
    const { turn: second } = await turns.engine.messages.retryTurn({ sessionId, expectedTurnId: first.id });
    await endOf(turns.engine, second);
    expect(await refusalOf(turns.engine.messages.retryTurn({ sessionId, expectedTurnId: first.id }))).toMatchObject({
      reason: "TURN_CHANGED",
      metadata: { turn_id: second?.id },
    });
  });
});

describe("SendMessage", () => {
  it("goes on without its caller", async () => {
    await turns.start();
    const { id: sessionId } = await createSession(turns.engine);
    const { promise: answer, resolve } = Promise.withResolvers<Answer>();
    turns.upstream.script((next) => (next.text("first"), resolve(next)));
    const seen = await readUntil(
      (signal) => turns.engine.messages.sendMessage({ sessionId, parts: text("go") }, { signal }),
      (_seen, { payload }) => payload.case === "event" && payload.value.payload.case === "textDelta",
    );
    await noReaders(turns.engine);
    const { text: say, end } = await answer;
    say(" second");
    end();
    await watchUntil(turns.engine, sessionId, isEnd, seen.events[0]!.seq);
    expect((await listMessages(turns.engine, sessionId)).map(textOf)).toEqual(["go", "first second"]);
  });

  it("sends a checkpoint first, then the turn and nothing else, then ends", async () => {
    await turns.start();
    const { id: sessionId } = await createSession(turns.engine);
    await runTurn(turns.engine, sessionId, "before");
    const order: string[] = [];
    const { events, checkpoints } = await readUntil(
      (signal) => turns.engine.messages.sendMessage({ sessionId, parts: text("go") }, { signal }),
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
