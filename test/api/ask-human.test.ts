import { expect, it } from "vitest";
import {
  ApprovalMode,
  RequestKind,
  RequestState,
  SessionState,
  Framing,
  ToolCallState,
  TurnEndReason,
  type Request,
} from "../../src/client/client.ts";
import { createSession, endOf, kindsOf, refusalOf, replay, text } from "./observe.ts";
import { isValidHistory, says } from "./scripted-upstream.ts";
import { expectClosed, useTurns } from "./turn-engine.ts";

const turns = useTurns();

/** A machine that does other things too takes its time. */

/** A turn whose model asks these questions at once, and then says that it is done. */
async function ask(questions: readonly object[], settings: object = {}) {
  await turns.start();
  const { id: sessionId } = await createSession(turns.engine, { profile: "openai", ...settings });
  turns.upstream.script((answer, _request, number) => {
    if (number > 1) return says(answer, "done");
    for (const [i, args] of questions.entries()) answer.call(`up_${i}`, "ask_human", JSON.stringify(args));
    answer.end("tool_calls");
  });
  return { sessionId, turn: await turns.startTurn(sessionId) };
}

/** What the model was told of its calls. */
function told(): string[] {
  const last = turns.upstream.requests.at(-1)!;
  expect(isValidHistory(last.messages)).toBe(true);
  return last.messages.flatMap(({ role, content }) => (role === "tool" ? [String(content)] : []));
}

/** As many open questions as these, once they are there. */
async function questions(sessionId: string, count = 1): Promise<Request[]> {
  const list = async () => (await turns.engine.requests.listRequests({ sessionId })).requests;
  await expect.poll(async () => (await list()).length).toBe(count);
  return list();
}

async function resting(sessionId: string): Promise<void> {
  const state = async () => (await turns.engine.sessions.getSession({ sessionId })).session!.state;
  await expect.poll(state).toBe(SessionState.WAITING);
  await expect.poll(async () => (await turns.engine.engine.getStatus({})).runningTurns).toBe(0);
}

const respond = (requestId: string, content: object) =>
  turns.engine.requests.respondRequest({ requestId, answer: { content: content as never } });
const option = (value: string) => ({ case: "optionId", value });
const words = (value: string) => ({ case: "text", value });

it("a question is shown with all that it says, the turn rests, and the answer is the call's result", async () => {
  const asked = { question: "Which one?", details: "**Both** work.", options: ["the left one", "the right one"] };
  const { sessionId, turn } = await ask([asked]);
  const [request] = await questions(sessionId);
  expect(request).toMatchObject({
    kind: RequestKind.QUESTION,
    turnId: turn.id,
    title: "Which one?",
    body: "**Both** work.",
    options: [
      { id: "1", label: "the left one" },
      { id: "2", label: "the right one" },
    ],
    state: RequestState.OPEN,
    createdBy: "",
  });
  await resting(sessionId);
  expect((await turns.engine.sessions.getSession({ sessionId })).session!.waitingOn?.requestIds).toEqual([request!.id]);

  await respond(request!.id, option("2"));
  expect(await endOf(turns.engine, turn)).toMatchObject({ endReason: TurnEndReason.COMPLETED });
  expect(told()).toEqual(["the right one"]);
  const events = await replay(turns.engine, sessionId);
  expectClosed(events);
  expect(kindsOf(events).filter((kind) => /tool|request|turn/.test(kind))).toEqual([
    "turnStarted",
    "toolCallRequested",
    "requestOpened",
    "requestResolved",
    "toolCallEnded",
    "turnEnded",
  ]);
});

it("text is an answer where nothing is to choose, and a form is filled in by its schema", async () => {
  const form = { type: "object", properties: { name: { type: "string" } }, required: ["name"] };
  const { sessionId, turn } = await ask([{ question: "What?" }, { question: "Who?", form }]);
  const [what, who] = await questions(sessionId, 2);
  const invalid = { reason: "INVALID_ANSWER" };
  expect(await refusalOf(respond(who!.id, { case: "form", value: { name: 1 } }))).toMatchObject(invalid);
  expect(await refusalOf(respond(what!.id, option("1")))).toMatchObject(invalid);
  await respond(who!.id, { case: "form", value: { name: "Ada" } });
  await resting(sessionId);
  await respond(what!.id, words("That."));
  await endOf(turns.engine, turn);
  expect(told().toSorted()).toEqual(["That.", '{"name":"Ada"}']);
});

it("several answers in one moment each count once, and the turn goes on once", async () => {
  const { sessionId, turn } = await ask(Array.from({ length: 8 }, (_, i) => ({ question: `Question ${i}?` })));
  const open = await questions(sessionId, 8);
  const outcomes = await Promise.allSettled(
    open.flatMap(({ id, title }) => [respond(id, words(`${title} yes`)), respond(id, words(`${title} yes`))]),
  );
  expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(8);
  expect(await endOf(turns.engine, turn)).toMatchObject({ endReason: TurnEndReason.COMPLETED, steps: 2 });
  expect(told().toSorted()).toEqual(open.map(({ title }) => `${title} yes`).toSorted());
  expect(turns.upstream.requests).toHaveLength(2);
});

it("a question outlives a restart, and its answer continues the turn", async () => {
  const { sessionId, turn } = await ask([{ question: "Still there?" }]);
  const [before] = await questions(sessionId);
  await resting(sessionId);
  turns.engine = await turns.engine.restart();
  const [after] = await questions(sessionId);
  expect(after).toEqual(before);
  await respond(after!.id, words("yes"));
  expect(await endOf(turns.engine, turn)).toMatchObject({ endReason: TurnEndReason.COMPLETED });
  expect(told()).toEqual(["yes"]);
});

it("a dismissal is told to the model with its reason, and so is a question that was taken back", async () => {
  const { sessionId, turn } = await ask([{ question: "One?" }, { question: "Two?" }]);
  const open = await questions(sessionId, 2);
  const [one, two] = open.toSorted((a, b) => (a.title < b.title ? -1 : 1));
  await turns.engine.requests.dismissRequest({ requestId: one!.id, reason: "ask the internet" });
  await turns.engine.requests.cancelRequest({ requestId: two!.id });
  expect(await endOf(turns.engine, turn)).toMatchObject({ endReason: TurnEndReason.COMPLETED });
  expect(told().toSorted()).toEqual([
    "The human does not want to answer: ask the internet.",
    "The question was taken back.",
  ]);
});

it("a cancel ends the question with the turn, also where nothing of it is in memory", async () => {
  const { sessionId, turn } = await ask([{ question: "Wait?" }]);
  const [request] = await questions(sessionId);
  await resting(sessionId);
  const cancelled = await turns.engine.messages.cancelTurn({ sessionId, turnId: turn.id });
  expect(cancelled.turn).toMatchObject({ endReason: TurnEndReason.CANCELLED });
  expect((await turns.engine.requests.getRequest({ requestId: request!.id })).request).toMatchObject({
    state: RequestState.CANCELLED,
  });
  expect(await refusalOf(respond(request!.id, words("late")))).toMatchObject({ reason: "ALREADY_RESOLVED" });
  const events = await replay(turns.engine, sessionId);
  expectClosed(events);
  expect(events.flatMap(({ payload }) => (payload.case === "toolCallEnded" ? [payload.value.state] : []))).toEqual([
    ToolCallState.CANCELLED,
  ]);
});

it("what replaces the step takes the question back, and the turn goes on with it", async () => {
  const { sessionId, turn } = await ask([{ question: "Wait?" }]);
  const [request] = await questions(sessionId);
  await resting(sessionId);
  await turns.engine.messages.steer({ sessionId, framing: Framing.REPLACEMENT, parts: text("never mind") });
  expect(await endOf(turns.engine, turn)).toMatchObject({ endReason: TurnEndReason.COMPLETED });
  expect((await turns.engine.requests.getRequest({ requestId: request!.id })).request).toMatchObject({
    state: RequestState.CANCELLED,
  });
});

it("nobody is asked in RESTRICTED, and the model is told so", async () => {
  const { sessionId, turn } = await ask([{ question: "Anybody?" }], { approvalMode: ApprovalMode.RESTRICTED });
  await endOf(turns.engine, turn);
  expect(told()).toEqual(["The call was denied and did not run: there is nobody to be asked"]);
  expect((await turns.engine.requests.listRequests({ sessionId, states: [1, 2, 3, 4, 5] })).requests).toEqual([]);
});

it.each([ApprovalMode.PLAN, ApprovalMode.CONFIRM_ALL])("in mode %i a question needs no leave", async (approvalMode) => {
  const { sessionId, turn } = await ask([{ question: "May I ask?" }], { approvalMode });
  const [request] = await questions(sessionId);
  expect(request!.kind).toBe(RequestKind.QUESTION);
  await respond(request!.id, words("you did"));
  await endOf(turns.engine, turn);
  expect(told()).toEqual(["you did"]);
});

it.each([
  [{}, "question is missing"],
  [{ question: " " }, "question must say what is asked"],
  [{ question: "x".repeat(501) }, "question has 501 characters; at most 500"],
  [{ question: 1 }, "question must be a string"],
  [{ question: "q", options: "a, b" }, "options must be a list of texts"],
  [{ question: "q", options: ["a", ""] }, "options[1] must be a text"],
  [{ question: "q", options: ["a", "a"] }, 'options: "a" is there twice'],
  [{ question: "q", options: ["a"], form: { type: "object" } }, "give options or a form, not both"],
  [{ question: "q", form: { type: "nonsense" } }, "form"],
  [{ question: "q", choices: [] }, 'there is no argument "choices"'],
])("nobody is asked %j: the model is told that %s", async (args, why) => {
  const { sessionId, turn } = await ask([args]);
  await endOf(turns.engine, turn);
  expect(told()[0]).toContain(why);
  expect((await turns.engine.requests.listRequests({ sessionId, states: [1, 2, 3, 4, 5] })).requests).toEqual([]);
});
