import { afterAll, beforeAll, expect, it } from "vitest";
import { applyEvent, loadPicture, Role, TurnState, type Event, type Transcript } from "../../src/client/client.ts";
import {
  createSession,
  kindsOf,
  listMessages,
  noReaders,
  readUntil,
  refusalOf,
  replay,
  runTurn,
  text,
  textOf,
  watchUntil,
} from "./observe.ts";
import { startTestEngine, type TestEngine } from "./test-engine.ts";

let engine: TestEngine;

beforeAll(async () => {
  engine = await startTestEngine();
});

afterAll(async () => {
  await engine.dispose();
});

const append = (sessionId: string, value: string, role: Role = Role.USER) =>
  engine.sessions.appendMessage({ sessionId, role, parts: text(value) });

function show({ messages }: Transcript): string[] {
  return [...messages.values()].map((message) => message.text);
}

/** Keeps a picture of a session true from now on. */
async function openPicture(sessionId: string, pageSize = 0) {
  const { transcript, from, snapshot } = await loadPicture(engine, { sessionId, pageSize });
  const events: Event[] = [];
  return {
    snapshot,
    transcript,
    events,
    /** Takes up all that the log has more. */
    async catchUp() {
      const more = await replay(engine, sessionId, events.at(-1)?.seq ?? from.afterSeq);
      for (const event of more) applyEvent(transcript, event);
      events.push(...more);
      return show(transcript);
    },
  };
}

it("pages a snapshot's older messages with the token that it gives", async () => {
  const { id: sessionId } = await createSession(engine);
  for (let i = 0; i < 7; i++) await append(sessionId, String(i));
  const snapshot = await engine.sessions.getSnapshot({ sessionId, pageSize: 3 });
  expect(snapshot.messages.map(textOf)).toEqual(["4", "5", "6"]);
  const older = await engine.sessions.listMessages({ sessionId, pageSize: 3, pageToken: snapshot.nextPageToken });
  expect(older.messages.map(textOf)).toEqual(["1", "2", "3"]);
  const whole = await engine.sessions.getSnapshot({ sessionId, pageSize: 7 });
  expect([whole.messages.length, whole.nextPageToken]).toEqual([7, ""]);
  const { session, logEpoch, lastSeq } = whole;
  expect(session).toEqual((await engine.sessions.getSession({ sessionId })).session);
  expect(logEpoch).toBe((await engine.engine.getInfo({})).logEpoch);
  expect(lastSeq).toBe(7n);
});

it("gives the same snapshot as plain JSON, and lowers a page size that is too large", async () => {
  const { id: sessionId } = await createSession(engine);
  await append(sessionId, "naïve 🐦 \u0000");
  const { json } = await engine.post(
    "parley.v1.SessionService/GetSnapshot",
    JSON.stringify({ sessionId, pageSize: 2 ** 31 - 1 }),
  );
  expect(json).toMatchObject({ lastSeq: "1", messages: [{ parts: [{ text: "naïve 🐦 \u0000" }] }] });
});

it("shows a turn that runs, its message so far and what waits, and watches on from there", async () => {
  const { id: sessionId } = await createSession(engine);
  const words = "write 100 words as fast as you can, and stall after 40 words";
  const { turn } = await engine.messages.startTurn({ sessionId, parts: text(words) });
  const { queuedId } = await engine.messages.followUp({ sessionId, parts: text(`echo: ${"later ".repeat(100)}`) });
  await watchUntil(engine, sessionId, ({ payload }) => payload.case === "textDelta");
  const picture = await openPicture(sessionId);
  const { runningTurn, partialMessage, queue, messages, session } = picture.snapshot;
  expect(runningTurn).toMatchObject({ id: turn!.id, state: TurnState.RUNNING });
  expect(session?.runningTurnId).toBe(turn!.id);
  expect(messages.map(textOf)).toEqual([words]);
  expect(partialMessage).toMatchObject({ turnId: turn!.id, role: Role.ASSISTANT, model: "demo" });
  expect(partialMessage!.text.length).toBeGreaterThan(0);
  expect(queue).toMatchObject([{ id: queuedId, parts: [], preview: expect.stringContaining("echo: later") as string }]);
  await engine.messages.cancelTurn({ sessionId, turnId: turn!.id });
  const stored = await listMessages(engine, sessionId);
  expect(await picture.catchUp()).toEqual(stored.map(textOf));
  expect(stored[1]?.parts.map(({ content }) => content.value)).toEqual([
    picture.transcript.messages.get(stored[1]!.id)?.text,
  ]);
  expect(picture.events.every(({ seq }) => seq > picture.snapshot.lastSeq)).toBe(true);
  expect((await engine.sessions.getSnapshot({ sessionId })).partialMessage).toBeUndefined();
  await noReaders(engine);
});

it("keeps pictures of every age true through edits, rewinds and a clear", async () => {
  const { id: sessionId } = await createSession(engine);
  for (const word of ["one", "two", "three", "four"]) await runTurn(engine, sessionId, `echo: ${word}`);
  const pictures = [await openPicture(sessionId), await openPicture(sessionId, 1), await openPicture(sessionId, 3)];
  const compare = async (): Promise<void> => {
    const stored = (await listMessages(engine, sessionId)).map(textOf);
    expect(show((await loadPicture(engine, { sessionId })).transcript)).toEqual(stored);
    for (const picture of pictures) {
      const shown = await picture.catchUp();
      // A short one has no more than the newest; it never has what is gone.
      expect(stored.slice(stored.length - shown.length)).toEqual(shown);
    }
    expect(await pictures[0]!.catchUp()).toEqual(stored);
  };
  const [first, , , answer, third] = await listMessages(engine, sessionId);
  await engine.sessions.updateMessage({ sessionId, messageId: answer!.id, parts: text("edited") });
  await compare();
  pictures.push(await openPicture(sessionId, 2));
  const { session } = await engine.sessions.rewindSession({ sessionId, messageId: third!.id });
  expect(session?.runningTurnId).toBe("");
  await compare();
  await append(sessionId, "more");
  await engine.sessions.rewindSession({ sessionId, messageId: answer!.id });
  await compare();
  await runTurn(engine, sessionId, "echo: again");
  await engine.sessions.updateMessage({ sessionId, messageId: first!.id, parts: text("first") });
  await compare();
  await engine.sessions.clearHistory({ sessionId });
  await append(sessionId, "anew", Role.SYSTEM);
  await compare();
  expect(kindsOf(await replay(engine, sessionId))).toEqual(["historyCleared", "sessionChanged", "messageCompleted"]);
  // What is gone is gone for who reads from the beginning, in this engine and the next.
  engine = await engine.restart();
  await compare();
  expect(await pictures[0]!.catchUp()).toEqual(["anew"]);
});

it("says who changed a history", async () => {
  const { id: sessionId } = await createSession(engine);
  const { message } = await append(sessionId, "x");
  await engine.sessions.updateMessage({ sessionId, messageId: message!.id, parts: text("y") });
  await engine.sessions.rewindSession({ sessionId, messageId: message!.id });
  const events = await replay(engine, sessionId);
  expect(events.map(({ actor }) => actor)).toEqual(["admin", "admin"]);
  expect(events[0]?.payload).toMatchObject({ value: { firstMessageId: message!.id, lastMessageId: "" } });
});

it("starts no other turn with the key of one that was cleared", async () => {
  const { id: sessionId } = await createSession(engine);
  const request = { sessionId, idempotencyKey: "k", parts: text("echo: hello, as fast as you can") };
  await readUntil((signal) => engine.messages.sendMessage(request, { signal }));
  await engine.sessions.clearHistory({ sessionId });
  expect(await refusalOf(readUntil((signal) => engine.messages.sendMessage(request, { signal })))).toMatchObject({
    code: "NOT_FOUND",
    reason: "TURN_NOT_FOUND",
  });
  expect(await listMessages(engine, sessionId)).toEqual([]);
  await noReaders(engine);
});

it("refuses to say as a tool, or with anything but text", async () => {
  const { id: sessionId } = await createSession(engine);
  for (const role of [Role.TOOL, Role.UNSPECIFIED]) {
    expect(await refusalOf(append(sessionId, "x", role))).toMatchObject({ reason: "INVALID_FIELD", fields: ["role"] });
  }
  const parts = [{ content: { case: "reasoning" as const, value: { text: "hm" } } }];
  expect(await refusalOf(engine.sessions.appendMessage({ sessionId, role: Role.ASSISTANT, parts }))).toMatchObject({
    reason: "INVALID_FIELD",
  });
  const tooLarge = "😀".repeat(262_145);
  expect(await refusalOf(append(sessionId, tooLarge))).toMatchObject({ reason: "MESSAGE_TOO_LARGE" });
  expect(await replay(engine, sessionId)).toEqual([]);
});
