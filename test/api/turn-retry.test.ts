import { describe, expect, it } from "vitest";
import { ApprovalMode, TurnEndReason } from "../../src/client/client.ts";
import { createSession, endOf, listMessages, refusalOf, replay, runTurn, stateOf, textOf } from "./observe.ts";
import { asksForNow, isValidHistory, says } from "./scripted-upstream.ts";
import { expectClosed, useTurns } from "./turn-engine.ts";

const turns = useTurns();

describe("RetryTurn", () => {
  it("goes on after a turn that failed, without a user message", async () => {
    await turns.start();
    const { id: sessionId } = await createSession(turns.engine);
    turns.upstream.script((answer) => answer.fail(401));
    const failed = await runTurn(turns.engine, sessionId, "go");
    expect(failed).toMatchObject({
      endReason: TurnEndReason.FAILED,
      error: { reason: "PROVIDER_UNAUTHORIZED", retryable: false },
    });
    turns.upstream.script((answer) => says(answer, "now it works"));
    const { turn } = await turns.engine.messages.retryTurn({ sessionId, model: "another" });
    expect(turn).toMatchObject({ model: "another", sessionId, steps: 0 });
    expect((await endOf(turns.engine, turn)).endReason).toBe(TurnEndReason.COMPLETED);
    expect((await listMessages(turns.engine, sessionId)).map(textOf)).toEqual(["go", "now it works"]);
    expect(turns.upstream.requests.at(-1)).toMatchObject({
      model: "another",
      messages: [{ role: "user", content: "go" }],
    });
    expect((await turns.engine.sessions.getSession({ sessionId })).session?.model).toBe("scripted-1");
    expectClosed(await replay(turns.engine, sessionId));
  });

  it("is refused before any turn and after one that completed", async () => {
    await turns.start();
    const { id: sessionId } = await createSession(turns.engine);
    const nothing = { code: "FAILED_PRECONDITION", reason: "NOTHING_TO_RETRY", metadata: { session_id: sessionId } };
    const empty = await stateOf(turns.engine, sessionId);
    expect(await refusalOf(turns.engine.messages.retryTurn({ sessionId }))).toMatchObject(nothing);
    expect(await stateOf(turns.engine, sessionId)).toEqual(empty);
    await runTurn(turns.engine, sessionId, "go");
    const before = await stateOf(turns.engine, sessionId);
    expect(await refusalOf(turns.engine.messages.retryTurn({ sessionId, idempotencyKey: "k" }))).toMatchObject(nothing);
    expect(await stateOf(turns.engine, sessionId)).toEqual(before);
  });

  it("takes up a cancelled turn and one that reached its limit", async () => {
    await turns.start();
    const { id: sessionId } = await createSession(turns.engine, {
      approvalMode: ApprovalMode.RESTRICTED,
      limits: { maxSteps: 1 },
    });
    await turns.startHalf(sessionId);
    await turns.engine.messages.cancelTurn({ sessionId });
    turns.upstream.script((answer) => asksForNow(answer));
    const limited = await endOf(turns.engine, (await turns.engine.messages.retryTurn({ sessionId })).turn);
    expect(limited.error?.reason).toBe("STEPS_EXHAUSTED");
    turns.upstream.script((answer) => says(answer, "done"));
    const { turn } = await turns.engine.messages.retryTurn({ sessionId });
    expect((await endOf(turns.engine, turn)).endReason).toBe(TurnEndReason.COMPLETED);
    expect(isValidHistory(turns.upstream.requests.at(-1)!.messages)).toBe(true);
    expect(turns.upstream.requests.at(-1)?.messages.map(({ role }) => role)).toEqual(["user", "assistant", "tool"]);
  });
});
