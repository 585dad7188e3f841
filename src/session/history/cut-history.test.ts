import { expect, test } from "vitest";
import { asksFor, hangsAfter, says, type Answer } from "../../../test/helpers/scripted-model.ts";
import { kinds, setUp } from "../../../test/helpers/turn-engine.ts";
import { appendMessage } from "../../message/append-message.ts";
import type { Message } from "../../message/message.ts";
import { updateMessage } from "../../message/update-message.ts";
import { followUp } from "../../turn/queue/queue.ts";
import { getTurn } from "../../turn/turn-store.ts";
import { clearHistory } from "./clear-history.ts";
import { createSession } from "../create-session.ts";
import { createRemovedSessions } from "../removed-sessions.ts";
import { rewindSession } from "./rewind-session.ts";

/** An engine's inside with the verbs that cut a history. */
async function setUpCuts(...answers: readonly Answer[]) {
  const engine = await setUp(answers);
  return withCuts(engine);
}

function withCuts(engine: Awaited<ReturnType<typeof setUp>>) {
  const removed = createRemovedSessions(engine.db, (_what, error) => void engine.bugs.push(error));
  const deps = { ...engine, removed };
  const { id: sessionId } = engine;
  const rows = async (table: string) => (await engine.db.all({ sql: `SELECT * FROM ${table}`, params: [] })).length;
  return {
    ...deps,
    rows,
    /** Waits until what was cut is gone from the disk. */
    swept: async () => {
      while ((await rows("removed_ranges")) > 0) await new Promise((resolve) => setImmediate(resolve));
    },
    turn: async (text: string) => engine.ended(await engine.start(text)),
    clear: () => clearHistory(deps, { sessionId, actor: "me" }),
    rewind: (messageId: string) => rewindSession(deps, { sessionId, messageId, actor: "me" }),
    append: (text: string, role: "user" | "assistant" = "user") =>
      appendMessage(deps, { sessionId, idempotencyKey: "", role, parts: [{ kind: "text", text }], actor: "me" }),
    update: (messageId: string, text: string) =>
      updateMessage(deps, { sessionId, messageId, parts: [{ kind: "text", text }], actor: "me" }),
    followUp: (text: string) =>
      followUp(deps, { sessionId, idempotencyKey: "", parts: [{ kind: "text", text }], actor: "me" }),
    texts: async () => (await engine.conversation()).map(textOf),
  };
}

function textOf({ parts }: Pick<Message, "parts">): string {
  return parts
    .map((part) => ("text" in part ? part.text : part.kind === "tool_call" ? `${part.name}()` : part.kind))
    .join(" ");
}

function reasonsOf(outcomes: readonly PromiseSettledResult<unknown>[]): unknown[] {
  return outcomes.flatMap((one) => (one.status === "rejected" ? [(one.reason as { reason?: unknown }).reason] : []));
}

test("a cleared history leaves nothing but the word of it, and numbers go on", async () => {
  const engine = await setUpCuts(says("one"), asksFor(["echo", '{"a":1}']), says("two"), says("three"));
  await engine.turn("first");
  await engine.turn("second");
  const before = (await engine.session())!;
  const after = await engine.clear();
  expect(after).toMatchObject({ runningTurnId: "", lastTurnId: "", usage: before.usage, systemPrompt: "be brief" });
  expect(after.lastSeq).toBe(before.lastSeq + 2);
  // Who was reading it in pieces knows by this.
  expect(after.historyEdits).toBe(before.historyEdits + 1);
  expect(after.updateTimeMs).toBeGreaterThan(before.updateTimeMs);
  expect(await engine.texts()).toEqual([]);
  expect(kinds(await engine.events())).toEqual(["history_cleared", "session_changed"]);
  expect([await engine.rows("messages"), await engine.rows("turns"), await engine.rows("tool_calls")]).toEqual([
    0, 0, 0,
  ]);

  await engine.swept();
  expect([await engine.rows("events"), await engine.rows("removed_ranges")]).toEqual([2, 0]);
  const turn = await engine.turn("again");
  expect(turn.firstSeq).toBe(after.lastSeq + 1);
  expect(engine.script.requests.at(-1)?.messages.map(textOf)).toEqual(["again"]);
});

test("a history without anything in it is left as it is", async () => {
  const engine = await setUpCuts();
  const before = await engine.session();
  expect(await engine.clear()).toEqual(before);
  expect(await engine.events()).toEqual([]);
});

test("a rewind to what began a turn takes the turn whole", async () => {
  const engine = await setUpCuts(says("one"), says("two"));
  const first = await engine.turn("first");
  const second = await engine.turn("second");
  const [, , question] = await engine.conversation();
  const { session, firstMessageId } = await engine.rewind(question!.id);
  expect(firstMessageId).toBe(question!.id);
  expect(session.lastTurnId).toBe(first.id);
  expect(await engine.texts()).toEqual(["first", "one"]);
  await expect(getTurn(engine.db, engine.id, second.id)).rejects.toMatchObject({ reason: "TURN_NOT_FOUND" });
  const events = await engine.events();
  expect(kinds(events).filter((kind) => kind === "turn_started" || kind === "turn_ended")).toHaveLength(2);
  expect(kinds(events).slice(-2)).toEqual(["history_cleared", "session_changed"]);
});

test("a turn that is cut in its middle keeps its one end, and can be retried", async () => {
  const engine = await setUpCuts(asksFor(["echo", '{"a":1}']), says("wrong"), says("right"));
  const turn = await engine.turn("do it");
  const answer = (await engine.conversation()).at(-1)!;
  await engine.rewind(answer.id);
  expect(await engine.texts()).toEqual(["do it", "echo()", '{"a":1}']);
  const events = await engine.events();
  expect(kinds(events)).toEqual([
    "turn_started",
    "message_completed",
    "step_started",
    "message_started",
    "message_completed",
    "usage_reported",
    "tool_call_requested",
    "tool_call_started",
    "tool_call_ended",
    "step_started",
    "turn_ended",
    "history_cleared",
    "session_changed",
  ]);
  expect((await engine.session())?.lastTurnId).toBe(turn.id);
  await engine.ended(await engine.retry());
  expect(await engine.texts()).toEqual(["do it", "echo()", '{"a":1}', "right"]);
});

test("a turn that ended before its end was noted keeps it, too", async () => {
  const engine = await setUpCuts(says("one"));
  await engine.turn("first");
  await engine.db.transact([{ sql: "UPDATE turns SET end_seq = 0", params: [] }]);
  await engine.rewind((await engine.conversation())[1]!.id);
  expect(kinds(await engine.events()).filter((kind) => kind === "turn_ended")).toHaveLength(1);
});

test("a rewind to a call's result goes back to the message that asked for it", async () => {
  const engine = await setUpCuts(asksFor(["echo", '{"a":1}'], ["echo", '{"b":2}']), says("done"));
  await engine.turn("do it");
  const [, asked, , second] = await engine.conversation();
  const { firstMessageId } = await engine.rewind(second!.id);
  expect(firstMessageId).toBe(asked!.id);
  expect(await engine.texts()).toEqual(["do it"]);
  expect(await engine.rows("tool_calls")).toBe(0);
});

test("a rewind to a message that is not there is refused", async () => {
  const engine = await setUpCuts(says("one"));
  await engine.turn("first");
  const other = await createSession(engine, { idempotencyKey: "", settings: (await engine.session())! });
  const [message] = await engine.conversation();
  for (const attempt of [
    () => engine.rewind("msg_0"),
    () => rewindSession(engine, { sessionId: other.id, messageId: message!.id, actor: "me" }),
  ]) {
    await expect(attempt()).rejects.toMatchObject({ reason: "MESSAGE_NOT_FOUND" });
  }
  await engine.rewind(message!.id);
  await expect(engine.rewind(message!.id)).rejects.toMatchObject({ reason: "MESSAGE_NOT_FOUND" });
});

test("nothing is said about a history while a turn runs, and nothing of it changes", async () => {
  const engine = await setUpCuts(says("one"), (_request, signal) => hangsAfter("half", signal));
  await engine.turn("first");
  const [question] = await engine.conversation();
  const turn = await engine.start("second");
  const before = await engine.conversation();
  const attempts = [
    () => engine.clear(),
    () => engine.rewind(question!.id),
    () => engine.append("x"),
    () => engine.update(question!.id, "x"),
  ];
  for (const attempt of attempts) {
    await expect(attempt()).rejects.toMatchObject({ reason: "SESSION_BUSY", metadata: { turn_id: turn.id } });
  }
  expect((await engine.conversation()).slice(0, 3)).toEqual(before.slice(0, 3));
});

test("a turn that begins in the same moment wins over a cut, or loses to it: never both", async () => {
  for (let wait = 0; wait < 12; wait++) {
    const engine = await setUpCuts(says("one"), (_request, signal) => hangsAfter("half", signal));
    await engine.turn("first");
    const clearing = async () => {
      for (let i = 0; i < wait; i++) await Promise.resolve();
      return engine.clear();
    };
    const [started, cleared] = await Promise.allSettled([engine.start("second"), clearing()]);
    expect(started.status).toBe("fulfilled");
    expect(reasonsOf([cleared])).toEqual(cleared.status === "rejected" ? ["SESSION_BUSY"] : []);
    // Cleared first: the turn has its own message alone. Refused: the history is whole.
    const texts = (await engine.texts()).filter((text) => text !== "" && text !== "half");
    expect(texts).toEqual(cleared.status === "fulfilled" ? ["second"] : ["first", "one", "second"]);
    await engine.cancel();
  }
});

test("who watched from inside what is gone goes on with what is told after it", async () => {
  const engine = await setUpCuts(says("one"), says("two"));
  await engine.turn("first");
  await engine.turn("second");
  const end = (await engine.session())!.lastSeq;
  const [, , question] = await engine.conversation();
  await engine.rewind(question!.id);
  for (const after of [end - 3, end - 1, end]) {
    expect(kinds(await engine.events(after)).slice(-2)).toEqual(["history_cleared", "session_changed"]);
  }
  expect(kinds(await engine.events(end))).toEqual(["history_cleared", "session_changed"]);
  await engine.swept();
  const next = withCuts(await engine.restart());
  expect(kinds(await next.events(end - 3))).toEqual(["history_cleared", "session_changed"]);
  expect((await next.append("next")).id).not.toBe("");
});

test("an edit whose event is gone is told again", async () => {
  const engine = await setUpCuts(says("one"), says("two"));
  await engine.turn("first");
  await engine.turn("second");
  const [question, , later] = await engine.conversation();
  await engine.update(question!.id, "FIRST");
  await engine.rewind(later!.id);
  const told = await engine.events();
  expect(kinds(told).slice(-3)).toEqual(["history_cleared", "message_updated", "session_changed"]);
  expect(told.at(-2)).toMatchObject({ message: { id: question!.id, parts: [{ text: "FIRST" }] } });
  // Told at a new place: the next cut from before it finds it there.
  await engine.append("more");
  await engine.rewind((await engine.conversation()).at(-1)!.id);
  expect(kinds(await engine.events()).filter((kind) => kind === "message_updated")).toHaveLength(1);
});

test("what waits in the queue stays, and is told again", async () => {
  const engine = await setUpCuts((_request, signal) => hangsAfter("half", signal));
  await engine.start("first");
  await engine.followUp("later");
  await engine.cancel();
  await engine.clear();
  expect(await engine.rows("queued_messages")).toBe(1);
  expect(kinds(await engine.events())).toEqual(["history_cleared", "queue_changed", "session_changed"]);
});

test("a turn is retried where an answer is missing, and only there", async () => {
  const engine = await setUpCuts(says("one"), says("two"), says("three"), says("four"));
  await expect(engine.retry()).rejects.toMatchObject({ reason: "NOTHING_TO_RETRY" });
  await engine.turn("first");
  await expect(engine.retry()).rejects.toMatchObject({ reason: "NOTHING_TO_RETRY" });
  await engine.append("and?");
  await engine.ended(await engine.retry());
  await expect(engine.retry()).rejects.toMatchObject({ reason: "NOTHING_TO_RETRY" });
  expect(await engine.texts()).toEqual(["first", "one", "and?", "two"]);
  await engine.rewind((await engine.conversation())[1]!.id);
  await engine.ended(await engine.retry());
  expect(await engine.texts()).toEqual(["first", "three"]);
  await engine.clear();
  await expect(engine.retry()).rejects.toMatchObject({ reason: "NOTHING_TO_RETRY" });
  await engine.append("hello");
  await engine.ended(await engine.retry());
  expect(await engine.texts()).toEqual(["hello", "four"]);
});

test("the key of a turn that is gone starts no other", async () => {
  const engine = await setUpCuts(says("one"));
  const turn = await engine.start("first", { idempotencyKey: "k" });
  await engine.ended(turn);
  await engine.clear();
  await expect(engine.start("first", { idempotencyKey: "k" })).rejects.toMatchObject({ reason: "TURN_NOT_FOUND" });
  await expect(engine.start("next", { expectedTurnId: turn.id })).rejects.toMatchObject({ reason: "TURN_CHANGED" });
  expect(await engine.texts()).toEqual([]);
});

test("cuts one after the other and at once end with what the last one left", async () => {
  const engine = await setUpCuts(...Array.from({ length: 6 }, (_, i) => says(String(i))));
  for (let i = 0; i < 6; i++) await engine.turn(`q${i}`);
  const all = await engine.conversation();
  const outcomes = await Promise.allSettled([8, 4, 10, 2, 6].map((i) => engine.rewind(all[i]!.id)));
  expect(new Set(reasonsOf(outcomes))).toEqual(new Set(["MESSAGE_NOT_FOUND"]));
  expect(await engine.texts()).toEqual(["q0", "0"]);
  await engine.swept();
  expect(await engine.rows("turns")).toBe(1);
  expect(await engine.rows("events")).toBe((await engine.events()).length);
  expect(engine.bugs).toEqual([]);
});
