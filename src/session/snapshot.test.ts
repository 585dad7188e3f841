import { expect, test } from "vitest";
import { asksFor, hangsAfter, says } from "../../test/helpers/scripted-model.ts";
import { deaf, setUp } from "../../test/helpers/turn-engine.ts";
import { appendMessage } from "../message/append-message.ts";
import type { Message } from "../message/message.ts";
import { followUp } from "../turn/queue/queue.ts";
import { steer } from "../turn/queue/steer.ts";
import { createSession } from "./create-session.ts";
import { takeSnapshot, type Snapshot } from "./snapshot.ts";

const KIB = 1024;
const textOf = ({ parts }: Pick<Message, "parts">): string =>
  parts.map((part) => ("text" in part ? part.text : "")).join("");

async function setUpSnapshots(...answers: Parameters<typeof setUp>[0]) {
  const engine = await setUp(answers);
  const { id: sessionId } = engine;
  const snapshot = (maxMessages = 100): Promise<Snapshot> => takeSnapshot(engine, { sessionId, maxMessages });
  return {
    ...engine,
    snapshot,
    /** The first one that is as it is waited for. */
    snapshotOnce: async (isThere: (taken: Snapshot) => boolean) => {
      for (;;) {
        const taken = await snapshot();
        if (isThere(taken)) return taken;
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
    append: (text: string) =>
      appendMessage(engine, {
        sessionId,
        idempotencyKey: "",
        role: "user",
        parts: [{ kind: "text", text }],
        actor: "",
      }),
  };
}

test("an idle session is its messages and the end of its log", async () => {
  const engine = await setUpSnapshots(says("one"));
  await engine.ended(await engine.start("first"));
  const snapshot = await engine.snapshot();
  expect(snapshot).toMatchObject({
    hasOlder: false,
    partial: undefined,
    runningTurn: undefined,
    openCalls: [],
    queue: [],
  });
  expect(snapshot.messages.map(textOf)).toEqual(["first", "one"]);
  expect(snapshot.lastSeq).toBe(await engine.log.end(engine.id));
  expect(await (await engine.restart()).log.end(engine.id)).toBe(snapshot.lastSeq);
});

test("an empty session has a snapshot, one that is not there has none", async () => {
  const engine = await setUpSnapshots();
  expect(await engine.snapshot()).toMatchObject({ messages: [], hasOlder: false, lastSeq: 0 });
  await expect(takeSnapshot(engine, { sessionId: "ses_0", maxMessages: 1 })).rejects.toMatchObject({
    reason: "SESSION_NOT_FOUND",
  });
});

test("a message that is being made is there as far as the log tells it", async () => {
  const engine = await setUpSnapshots(async function* (_request, signal) {
    yield { kind: "reasoning", text: "hm" };
    yield* hangsAfter("half a", signal);
  });
  const turn = await engine.start("first");
  const { partial, runningTurn, messages, lastSeq } = await engine.snapshotOnce(
    ({ partial: said }) => said !== undefined && said.text !== "",
  );
  expect(messages.map(textOf)).toEqual(["first"]);
  expect(runningTurn).toMatchObject({ id: turn.id, state: "running" });
  expect(partial).toMatchObject({ text: "half a", reasoning: "hm", message: { turnId: turn.id, model: "m1" } });
  expect(lastSeq).toBe(await engine.log.end(engine.id));
  await engine.cancel();
  expect((await engine.snapshot()).partial).toBeUndefined();
});

test("calls without a result and messages that wait are there", async () => {
  const engine = await setUpSnapshots(asksFor(["deaf", '{"a":1}']));
  expect(deaf.name).toBe("deaf");
  await engine.start("first");
  await engine.snapshotOnce(({ openCalls: [call] }) => call?.state === "started");
  const said = { sessionId: engine.id, idempotencyKey: "", actor: "me" };
  await followUp(engine, { ...said, parts: [{ kind: "text", text: "later" }] });
  await steer(engine, { ...said, parts: [{ kind: "text", text: "now" }], framing: "plain", expectedTurnId: "" });
  const { openCalls, queue, partial } = await engine.snapshot();
  expect(openCalls).toMatchObject([{ name: "deaf", arguments: { a: 1 }, state: "started" }]);
  expect(queue.map(({ kind }) => kind)).toEqual(["steer", "follow_up"]);
  expect(partial).toBeUndefined();
  await engine.cancel();
  expect((await engine.snapshot()).openCalls).toEqual([]);
});

test("of many messages the newest are there, and that there are more", async () => {
  const engine = await setUpSnapshots();
  for (let i = 0; i < 12; i++) await engine.append(String(i));
  const few = await engine.snapshot(5);
  expect([few.messages.map(textOf), few.hasOlder]).toEqual([["7", "8", "9", "10", "11"], true]);
  const all = await engine.snapshot(12);
  expect([all.messages.length, all.hasOlder]).toEqual([12, false]);
});

test("of large messages there are as many as an answer takes, and always one", async () => {
  const engine = await setUpSnapshots();
  for (const letter of ["a", "b", "c", "d", "e"]) await engine.append(letter.repeat(900 * KIB));
  const { messages, hasOlder } = await engine.snapshot();
  expect([messages.map((message) => textOf(message)[0]), hasOlder]).toEqual([["c", "d", "e"], true]);
  // Larger in the store than on the wire: it is shown all the same.
  const settings = { ...(await engine.session())!, systemPrompt: "x".repeat(256 * KIB) };
  const { id } = await createSession(engine, { idempotencyKey: "", settings });
  for (const text of ["older", "\u0000".repeat(1024 * KIB)]) {
    const parts = [{ kind: "text", text }] as const;
    await appendMessage(engine, { sessionId: id, idempotencyKey: "", role: "user", parts, actor: "" });
  }
  const huge = await takeSnapshot(engine, { sessionId: id, maxMessages: 100 });
  expect([huge.messages.length, huge.hasOlder]).toEqual([1, true]);
});

test("a snapshot and what the log tells after it are the whole, at whatever moment it is taken", async () => {
  const words = Array.from({ length: 300 }, (_, i) => `w${i} `);
  const engine = await setUpSnapshots(async function* () {
    for (const text of words) {
      yield { kind: "text", text };
      await new Promise((resolve) => setImmediate(resolve));
    }
    yield { kind: "stop", reason: "end" };
  });
  const turn = await engine.start("go");
  const snapshots: Awaited<ReturnType<typeof engine.snapshot>>[] = [];
  const isOver = engine.ended(turn).then(() => true);
  while (!(await Promise.race([isOver, new Promise((resolve) => setImmediate(() => resolve(false)))]))) {
    await engine.clock.advance(7);
    snapshots.push(await engine.snapshot());
  }
  const partials = snapshots.filter(({ partial }) => partial !== undefined);
  expect(partials.length).toBeGreaterThan(20);
  for (const { partial, lastSeq } of partials) {
    let text = partial!.text;
    for (let cursor = lastSeq; ;) {
      const page = await engine.log.readAfter(engine.id, cursor);
      for (const entry of page.entries) if ("delta" in entry) text += entry.delta.text;
      if (page.cursor === cursor) break;
      cursor = page.cursor;
    }
    expect(text).toBe(words.join(""));
  }
});
