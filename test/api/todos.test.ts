import { afterEach, beforeEach, expect, it } from "vitest";
import { type Event, TodoState } from "../../src/client/client.ts";
import { createSession, endOf, kindsOf, listMessages, replay, text } from "./observe.ts";
import { says, startUpstream, type Upstream } from "./scripted-upstream.ts";
import { startTestEngine, type TestEngine } from "./test-engine.ts";

let upstream: Upstream;
let engine: TestEngine;
beforeEach(async () => {
  upstream = await startUpstream();
  engine = await startTestEngine({ openai: upstream.url });
});
afterEach(async () => {
  await engine.dispose();
  await upstream.close();
});

/** Has the agent list this, in a turn of its own; returns the turn's user message. */
async function plan(sessionId: string, items: unknown): Promise<string> {
  upstream.script((answer, { messages }) => {
    if (messages.at(-1)?.role === "tool") return says(answer, "planned");
    answer.call("a", "todo", JSON.stringify({ items }));
    answer.end("tool_calls");
  });
  const { turn } = await engine.messages.startTurn({ sessionId, parts: text("plan it") });
  await endOf(engine, turn);
  return (await listMessages(engine, sessionId)).find(({ turnId }) => turnId === turn!.id)!.id;
}

async function todosOf(sessionId: string): Promise<[string, TodoState][]> {
  const { todos } = await engine.sessions.getSnapshot({ sessionId });
  return todos.map(({ text: words, state }) => [words, state]);
}

/** The list as somebody knows it who read all of these. */
function told(events: readonly Event[]): string[] | undefined {
  const { payload } = events.findLast((event) => event.payload.case === "todoChanged") ?? {};
  return payload?.case === "todoChanged" ? payload.value.items.map((item) => item.text) : undefined;
}

const READ = { text: "read 🐦", state: "done" };
const WRITE = { text: "write", state: "in_progress" };

it("is kept with the session, told with the end of its call, and there after a restart", async () => {
  const { id } = await createSession(engine);
  expect(await todosOf(id)).toEqual([]);
  await plan(id, [READ, WRITE]);
  const events = await replay(engine, id);
  const kinds = kindsOf(events);
  expect(kinds[kinds.indexOf("todoChanged") - 1]).toBe("toolCallEnded");
  expect(told(events)).toEqual(["read 🐦", "write"]);
  engine = await engine.restart();
  expect(await todosOf(id)).toEqual([
    ["read 🐦", TodoState.DONE],
    ["write", TodoState.IN_PROGRESS],
  ]);
});

it("a list that is wrong changes nothing, and the model is told what is wrong", async () => {
  const { id } = await createSession(engine);
  await plan(id, [READ]);
  await plan(id, [{ text: "x", state: "someday" }]);
  expect(await todosOf(id)).toHaveLength(1);
  expect(JSON.stringify(upstream.requests.at(-1))).toContain("items[0].state must be one of");
});

it("an empty list removes it", async () => {
  const { id } = await createSession(engine);
  await plan(id, [READ]);
  await plan(id, []);
  expect(await todosOf(id)).toEqual([]);
  expect(told(await replay(engine, id))).toEqual([]);
});

it("a rewind goes back to the list before, and tells whoever knew another", async () => {
  const { id } = await createSession(engine);
  await plan(id, [READ]);
  const second = await plan(id, [READ, WRITE]);
  const { session } = await engine.sessions.getSession({ sessionId: id });
  await engine.sessions.rewindSession({ sessionId: id, messageId: second });
  expect((await todosOf(id)).map(([words]) => words)).toEqual(["read 🐦"]);
  // Both who reads all of it and who was at its end before.
  expect(told(await replay(engine, id))).toEqual(["read 🐦"]);
  expect(told(await replay(engine, id, session!.lastSeq))).toEqual(["read 🐦"]);
});

it("clearing the history empties it, and says so", async () => {
  const { id } = await createSession(engine);
  await plan(id, [READ]);
  const { session } = await engine.sessions.getSession({ sessionId: id });
  await engine.sessions.clearHistory({ sessionId: id });
  expect(await todosOf(id)).toEqual([]);
  expect(told(await replay(engine, id, session!.lastSeq))).toEqual([]);
});

it("a fork has the list of the moment that it was made at, and its log tells it", async () => {
  const { id: sessionId } = await createSession(engine);
  await plan(sessionId, [READ]);
  const second = await plan(sessionId, [READ, WRITE]);
  const fork = (await engine.sessions.forkSession({ sessionId })).session!.id;
  expect((await todosOf(fork)).map(([words]) => words)).toEqual(["read 🐦", "write"]);
  expect(told(await replay(engine, fork))).toEqual(["read 🐦", "write"]);
  const before = (await engine.sessions.forkSession({ sessionId, beforeMessageId: second })).session!.id;
  expect((await todosOf(before)).map(([words]) => words)).toEqual(["read 🐦"]);
  await plan(fork, []);
  expect(await todosOf(sessionId)).toHaveLength(2);
});
