import { expect, it } from "vitest";
import {
  ApprovalMode,
  MessageStatus,
  RequestKind,
  RequestState,
  SessionState,
  TurnEndReason,
  type Request,
  type Turn,
} from "../../src/client/client.ts";
import { createSession, endOf, listMessages, refusalOf, replay, textOf, watchUntil } from "./observe.ts";
import { asksForNow, isValidHistory, says } from "./scripted-upstream.ts";
import { expectClosed, useTurns } from "./turn-engine.ts";

const turns = useTurns();

/** A machine that does other things too takes its time. */

/** A turn whose model asks for the time again and again, and after so many steps says that it is done. */
async function begin(limits: object, doneAfter: number, settings: object = {}) {
  await turns.start();
  turns.upstream.script((answer, _request, number) => (number > doneAfter ? says(answer, "done") : asksForNow(answer)));
  const { id: sessionId } = await createSession(turns.engine, { profile: "openai", limits, ...settings });
  return { sessionId, turn: await turns.startTurn(sessionId) };
}

async function openRequest(sessionId: string): Promise<Request> {
  const list = async () => (await turns.engine.requests.listRequests({ sessionId })).requests;
  await expect.poll(async () => (await list()).length).toBe(1);
  return (await list())[0]!;
}

async function resting(sessionId: string): Promise<void> {
  const state = async () => (await turns.engine.sessions.getSession({ sessionId })).session!.state;
  await expect.poll(state).toBe(SessionState.WAITING);
  await expect.poll(async () => (await turns.engine.engine.getStatus({})).runningTurns).toBe(0);
}

const respond = (request: Request, optionId: "continue" | "stop") =>
  turns.engine.requests.respondRequest({
    requestId: request.id,
    answer: { content: { case: "optionId", value: optionId } },
  });

const end = async (turn: Turn) => {
  const { endReason, steps, error } = await endOf(turns.engine, turn);
  return { endReason, steps, reason: error?.reason };
};

it("a turn that used its steps asks, waits, and has as many again, each time anew", async () => {
  const { sessionId, turn } = await begin({ maxSteps: 2 }, 4);
  const first = await openRequest(sessionId);
  expect(first).toMatchObject({
    kind: RequestKind.LIMIT,
    turnId: turn.id,
    title: "This turn used its 2 steps: go on?",
    options: [{ id: "continue" }, { id: "stop" }],
    context: { reason: "STEPS_EXHAUSTED", used: 2, limit: 2 },
    state: RequestState.OPEN,
  });
  await resting(sessionId);
  expect(turns.upstream.requests).toHaveLength(2);
  await respond(first, "continue");
  const second = await openRequest(sessionId);
  expect(second).toMatchObject({ context: { used: 4, limit: 4 } });
  expect(second.id).not.toBe(first.id);
  await respond(second, "continue");
  expect(await end(turn)).toEqual({ endReason: TurnEndReason.COMPLETED, steps: 5, reason: undefined });
  expect(isValidHistory(turns.upstream.requests.at(-1)!.messages)).toBe(true);
  expectClosed(await replay(turns.engine, sessionId));
});

it("tokens are counted as they are used, and asked for in the same way", async () => {
  const { sessionId, turn } = await begin({ maxTokens: 150n }, 3);
  const request = await openRequest(sessionId);
  expect(request).toMatchObject({
    title: "This turn used its 150 tokens: go on?",
    context: { reason: "TOKENS_EXHAUSTED", used: 200, limit: 150 },
  });
  await respond(request, "continue");
  const again = await openRequest(sessionId);
  expect(again.context).toMatchObject({ used: 300, limit: 300 });
  await respond(again, "stop");
  expect(await end(turn)).toEqual({
    endReason: TurnEndReason.LIMIT_REACHED,
    steps: 3,
    reason: "TOKENS_EXHAUSTED",
  });
});

it.each([
  ["to stop", (request: Request) => respond(request, "stop")],
  ["a dismissal", ({ id: requestId }: Request) => turns.engine.requests.dismissRequest({ requestId })],
  ["its being taken back", ({ id: requestId }: Request) => turns.engine.requests.cancelRequest({ requestId })],
] as const)("%s ends the turn LIMIT_REACHED, and the next one has its own limit", async (_what, answer) => {
  const { sessionId, turn } = await begin({ maxSteps: 1 }, 1);
  await answer(await openRequest(sessionId));
  expect(await end(turn)).toEqual({ endReason: TurnEndReason.LIMIT_REACHED, steps: 1, reason: "STEPS_EXHAUSTED" });
  const { turn: retried } = await turns.engine.messages.retryTurn({ sessionId });
  expect(await end(retried!)).toMatchObject({ endReason: TurnEndReason.COMPLETED });
});

it("working time that is used up stops what runs, and going on calls the model again", async () => {
  await turns.start({ clock: turns.clock });
  const { id: sessionId } = await createSession(turns.engine, { limits: { maxWorkingTime: { seconds: 60n } } });
  const turn = await turns.startHalf(sessionId);
  await turns.clock.advance(60_000);
  const request = await openRequest(sessionId);
  expect(request).toMatchObject({
    title: "This turn used its 60 s: go on?",
    context: { reason: "TIME_EXHAUSTED", limit: 60_000 },
  });
  await resting(sessionId);
  // An hour in which nobody answers is no working time.
  await turns.clock.advance(3_600_000);
  turns.upstream.script((answer) => says(answer, "whole"));
  await respond(request, "continue");
  expect(await end(turn)).toMatchObject({ endReason: TurnEndReason.COMPLETED });
  const said = (await listMessages(turns.engine, sessionId)).slice(1);
  expect(said.map((message) => [textOf(message), message.status])).toEqual([
    ["half", MessageStatus.CANCELLED],
    ["whole", MessageStatus.COMPLETE],
  ]);
  expectClosed(await replay(turns.engine, sessionId));
});

it("a tool that runs when the time is over is stopped, and the model is told so when the turn goes on", async () => {
  await turns.start({ clock: turns.clock });
  turns.upstream.script((answer, _request, number) => {
    if (number > 1) return says(answer, "done");
    answer.call("a", "hang", "{}");
    answer.end("tool_calls");
  });
  const { id: sessionId } = await createSession(turns.engine, { limits: { maxWorkingTime: { seconds: 60n } } });
  const turn = await turns.startTurn(sessionId);
  await watchUntil(turns.engine, sessionId, ({ payload }) => payload.case === "toolCallStarted");
  await turns.clock.advance(61_000);
  await respond(await openRequest(sessionId), "continue");
  expect(await end(turn)).toMatchObject({ endReason: TurnEndReason.COMPLETED });
  const { messages } = turns.upstream.requests.at(-1)!;
  expect(isValidHistory(messages)).toBe(true);
  expect(messages.find(({ role }) => role === "tool")?.content).toBe("The turn was ended before it was over.");
  expectClosed(await replay(turns.engine, sessionId));
});

it("outlives a restart: the same request, and its answer continues the turn", async () => {
  const { sessionId, turn } = await begin({ maxSteps: 1 }, 1);
  const before = await openRequest(sessionId);
  await resting(sessionId);
  turns.engine = await turns.engine.restart();
  const after = await openRequest(sessionId);
  expect(after).toEqual(before);
  await respond(after, "continue");
  expect(await end(turn)).toMatchObject({ endReason: TurnEndReason.COMPLETED, steps: 2 });
});

it("of many answers in one moment one counts, and as much is granted once", async () => {
  const { sessionId, turn } = await begin({ maxSteps: 2 }, 10);
  const request = await openRequest(sessionId);
  const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => respond(request, "continue")));
  expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  expect((await openRequest(sessionId)).context).toMatchObject({ used: 4, limit: 4 });
  await turns.engine.messages.cancelTurn({ sessionId, turnId: turn.id });
});

it("a cancel ends the request with the turn", async () => {
  const { sessionId, turn } = await begin({ maxSteps: 1 }, 1);
  const request = await openRequest(sessionId);
  await resting(sessionId);
  await turns.engine.messages.cancelTurn({ sessionId });
  expect(await end(turn)).toMatchObject({ endReason: TurnEndReason.CANCELLED });
  expect(await refusalOf(respond(request, "continue"))).toMatchObject({ reason: "ALREADY_RESOLVED" });
  expect((await turns.engine.sessions.getSession({ sessionId })).session!.waitingOn).toBeUndefined();
});

it("nobody is asked in RESTRICTED: the turn ends", async () => {
  const { sessionId, turn } = await begin({ maxSteps: 1 }, 1, { approvalMode: ApprovalMode.RESTRICTED });
  expect(await end(turn)).toEqual({ endReason: TurnEndReason.LIMIT_REACHED, steps: 1, reason: "STEPS_EXHAUSTED" });
  expect((await turns.engine.requests.listRequests({ sessionId, states: [1, 2, 3, 4, 5] })).requests).toEqual([]);
});

it("a turn at its limit asks nobody where its answer is whole", async () => {
  const { sessionId, turn } = await begin({ maxSteps: 1 }, 0);
  expect(await end(turn)).toMatchObject({ endReason: TurnEndReason.COMPLETED });
  expect((await turns.engine.requests.listRequests({ sessionId, states: [1, 2, 3, 4, 5] })).requests).toEqual([]);
});

it("a steer is taken up where the turn goes on", async () => {
  const { sessionId, turn } = await begin({ maxSteps: 1 }, 1);
  const request = await openRequest(sessionId);
  await resting(sessionId);
  await turns.engine.messages.steer({ sessionId, parts: [{ content: { case: "text", value: "hurry" } }] });
  await respond(request, "continue");
  await end(turn);
  const { messages } = turns.upstream.requests.at(-1)!;
  expect(messages.map(({ content }) => content)).toContain("hurry");
});
