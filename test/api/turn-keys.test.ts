import { describe, expect, it } from "vitest";
import { TurnState } from "../../src/client/client.ts";
import {
  createSession,
  endOf,
  kindsOf,
  listTurns,
  noReaders,
  readUntil,
  refusalOf,
  stateOf,
  text,
  textOf,
} from "./observe.ts";
import { useTurns } from "./turn-engine.ts";

const turns = useTurns();

describe("idempotency_key of a turn", () => {
  it("twenty StartTurns and SendMessages at once with one key are one turn, told to all", async () => {
    await turns.start();
    const { id: sessionId } = await createSession(turns.engine);
    const request = { sessionId, idempotencyKey: "k", parts: text("go") };
    const started = Array.from({ length: 10 }, async () => (await turns.engine.messages.startTurn(request)).turn!.id);
    const sent = Array.from({ length: 10 }, () =>
      readUntil((signal) => turns.engine.messages.sendMessage(request, { signal })),
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
    expect(turns.upstream.requests).toHaveLength(1);
    expect(await listTurns(turns.engine, sessionId)).toHaveLength(1);
    await noReaders(turns.engine);
  });

  it("is remembered over a restart, with the turn as it is now", async () => {
    await turns.start();
    const { id: sessionId } = await createSession(turns.engine);
    const request = { sessionId, idempotencyKey: "k", parts: text("go") };
    const turn = await endOf(turns.engine, (await turns.engine.messages.startTurn(request)).turn);
    turns.engine = await turns.engine.restart();
    expect((await turns.engine.messages.startTurn(request)).turn).toEqual(turn);
    expect(turns.upstream.requests).toHaveLength(1);
    const { events } = await readUntil((signal) => turns.engine.messages.sendMessage(request, { signal }));
    expect(kindsOf(events).at(-1)).toBe("turnEnded");
  });

  it("is forgotten after 24 hours", async () => {
    await turns.start({ clock: turns.clock });
    const { id: sessionId } = await createSession(turns.engine);
    const request = { sessionId, idempotencyKey: "k", parts: text("go") };
    const turn = await endOf(turns.engine, (await turns.engine.messages.startTurn(request)).turn);
    await turns.clock.leap(24 * 60 * 60_000 - 60_000);
    expect((await turns.engine.messages.startTurn(request)).turn?.id).toBe(turn.id);
    await turns.clock.advance(120_000);
    const another = await endOf(turns.engine, (await turns.engine.messages.startTurn(request)).turn);
    expect(another.id).not.toBe(turn.id);
  });

  it.each([
    ["parts", { parts: text("other") }],
    ["parts cut otherwise", { parts: [...text("g"), ...text("o")] }],
    ["model", { model: "other" }],
    ["expected_turn_id", { expectedTurnId: "turn_other" }],
  ])("is refused with other %s, by both methods", async (_what, change) => {
    await turns.start();
    const { id: sessionId } = await createSession(turns.engine);
    const request = { sessionId, idempotencyKey: "k", parts: text("go") };
    await endOf(turns.engine, (await turns.engine.messages.startTurn(request)).turn);
    const before = await stateOf(turns.engine, sessionId);
    const reused = { code: "ALREADY_EXISTS", reason: "IDEMPOTENCY_KEY_REUSED" };
    const other = { ...request, ...change };
    expect(await refusalOf(turns.engine.messages.startTurn(other))).toMatchObject(reused);
    expect(await refusalOf(readUntil((signal) => turns.engine.messages.sendMessage(other, { signal })))).toMatchObject(
      reused,
    );
    expect(await stateOf(turns.engine, sessionId)).toEqual(before);
  });

  it("means something of its own in another session, and to RetryTurn", async () => {
    await turns.start();
    const ids = new Set<string>();
    turns.upstream.script((answer) => answer.fail(401));
    for (let i = 0; i < 2; i++) {
      const { id: sessionId } = await createSession(turns.engine);
      const { turn } = await turns.engine.messages.startTurn({ sessionId, idempotencyKey: "k", parts: text("go") });
      ids.add((await endOf(turns.engine, turn)).id);
      const retries = await Promise.all(
        Array.from({ length: 20 }, () => turns.engine.messages.retryTurn({ sessionId, idempotencyKey: "k" })),
      );
      for (const retry of retries) ids.add(retry.turn!.id);
      await endOf(turns.engine, retries[0]?.turn);
    }
    expect(ids.size).toBe(4);
  });

  it("is looked up before the state is checked: a repetition is no second turn, even while the first runs", async () => {
    await turns.start();
    const { id: sessionId } = await createSession(turns.engine);
    turns.upstream.script((answer) => answer.text("half"));
    const request = { sessionId, idempotencyKey: "k", parts: text("go") };
    const { turn } = await turns.engine.messages.startTurn(request);
    expect((await turns.engine.messages.startTurn(request)).turn).toMatchObject({
      id: turn?.id,
      state: TurnState.RUNNING,
    });
    const seen = await readUntil(
      (signal) => turns.engine.messages.sendMessage(request, { signal }),
      (_seen, { payload }) => payload.case === "event" && payload.value.payload.case === "textDelta",
    );
    expect(seen.events[0]?.turnId).toBe(turn?.id);
  });
});
