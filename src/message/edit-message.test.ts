import { expect, test } from "vitest";
import { asksFor, says, type Answer } from "../../test/helpers/scripted-model.ts";
import { kinds, setUp } from "../../test/helpers/turn-engine.ts";
import { createSession } from "../session/create-session.ts";
import { getSession } from "../session/session-store.ts";
import { appendMessage, type AppendMessage } from "./append-message.ts";
import { MAX_MESSAGE_BYTES, type Part } from "./message.ts";
import { updateMessage } from "./update-message.ts";

const text = (value: string): Part => ({ kind: "text", text: value });

async function setUpEdits(...answers: readonly Answer[]) {
  const engine = await setUp(answers);
  const { id: sessionId } = engine;
  return {
    ...engine,
    append: (more: Partial<AppendMessage>) =>
      appendMessage(engine, { sessionId, idempotencyKey: "", role: "user", parts: [text("x")], actor: "me", ...more }),
    update: (messageId: string, ...parts: Part[]) =>
      updateMessage(engine, { sessionId, messageId, parts, actor: "me" }),
  };
}

test("what is appended is part of the conversation, and of no turn", async () => {
  const engine = await setUpEdits(says("one"));
  const system = await engine.append({ role: "system", parts: [text("speak French")] });
  const question = await engine.append({ role: "user", parts: [text("who?"), text(" naïve 🐦")] });
  const answer = await engine.append({ role: "assistant", parts: [text("moi")] });
  expect([system, question, answer].map(({ turnId, status, model, usage }) => [turnId, status, model, usage])).toEqual(
    Array.from({ length: 3 }, () => ["", "complete", "", undefined]),
  );
  expect((await engine.conversation()).map(({ id }) => id)).toEqual([system.id, question.id, answer.id]);
  expect(kinds(await engine.events())).toEqual(["message_completed", "message_completed", "message_completed"]);
  await engine.ended(await engine.start("and?"));
  expect(engine.script.requests[0]?.messages.map(({ role }) => role)).toEqual(["system", "user", "assistant", "user"]);
});

test("messages that come at once have their order, and the session its newest change", async () => {
  const engine = await setUpEdits();
  const before = (await engine.session())!;
  const all = await Promise.all(Array.from({ length: 20 }, (_, i) => engine.append({ parts: [text(String(i))] })));
  const stored = await engine.conversation();
  expect(new Set(stored.map(({ id }) => id))).toEqual(new Set(all.map(({ id }) => id)));
  const after = (await engine.session())!;
  expect(after.lastSeq).toBe(20);
  expect(after.updateTimeMs).toBeGreaterThanOrEqual(before.updateTimeMs + 20);
  expect(after.revision).toBe(before.revision + 20);
});

test("a message that is appended twice under one key is there once", async () => {
  const engine = await setUpEdits();
  const once = { idempotencyKey: "k", parts: [text("only")] };
  const [first, second] = await Promise.all([engine.append(once), engine.append(once)]);
  expect(second.id).toBe(first.id);
  await engine.update(first.id, text("edited"));
  expect(await engine.append(once)).toMatchObject({ id: first.id, parts: [text("edited")] });
  await expect(engine.append({ ...once, parts: [text("other")] })).rejects.toMatchObject({
    reason: "IDEMPOTENCY_KEY_REUSED",
  });
  expect(await engine.conversation()).toHaveLength(1);
});

test("a message holds what a message may hold, and no byte more", async () => {
  const engine = await setUpEdits();
  const most = "é".repeat(MAX_MESSAGE_BYTES / 2);
  const { id } = await engine.append({ parts: [text(most)] });
  await expect(engine.append({ parts: [text(most), text("x")] })).rejects.toMatchObject({
    reason: "MESSAGE_TOO_LARGE",
  });
  await expect(engine.update(id, text(`${most}x`))).rejects.toMatchObject({ reason: "MESSAGE_TOO_LARGE" });
  expect(await engine.conversation()).toHaveLength(1);
});

test("an edit replaces text and thoughts, and leaves the calls", async () => {
  const thinks = [{ kind: "reasoning", text: "hm" } as const, { kind: "text", text: "let me" } as const];
  const engine = await setUpEdits([...thinks, ...asksFor(["echo", '{"a":1}'])], says("done"));
  await engine.ended(await engine.start("do it"));
  const [, asked, result] = await engine.conversation();
  const edited = await engine.update(asked!.id, text("allow"), text(" me"));
  expect(edited.parts.map(({ kind }) => kind)).toEqual(["text", "text", "tool_call"]);
  expect(edited).toMatchObject({ id: asked!.id, turnId: asked!.turnId, usage: asked!.usage, model: "m1" });
  expect((await engine.conversation())[1]).toEqual(edited);
  expect((await engine.events()).at(-1)).toMatchObject({ kind: "message_updated", message: { id: asked!.id } });

  const { key } = await getSession(engine.db, engine.id);
  await engine.db.transact([
    {
      sql: "UPDATE messages SET parts = replace(parts, '\"a\":1', ?) WHERE id = ? AND session_key = ?",
      params: [`"a":"${"x".repeat(MAX_MESSAGE_BYTES - 20)}"`, asked!.id, key],
    },
  ]);
  await expect(engine.update(asked!.id, text("x".repeat(100)))).rejects.toMatchObject({ reason: "MESSAGE_TOO_LARGE" });
  await expect(engine.update(result!.id, text("x"))).rejects.toMatchObject({ reason: "MESSAGE_NOT_EDITABLE" });
});

test("an edit that changes nothing tells nothing", async () => {
  const engine = await setUpEdits();
  const { id } = await engine.append({ parts: [text("same")] });
  await engine.update(id, text("other"));
  const before = await engine.session();
  expect((await engine.update(id, text("other"))).parts).toEqual([text("other")]);
  expect(await engine.session()).toEqual(before);
  expect(await engine.events()).toHaveLength(2);
});

test("edits at once end with one of them, and the log with the same", async () => {
  const engine = await setUpEdits();
  const { id } = await engine.append({});
  await Promise.all(Array.from({ length: 10 }, (_, i) => engine.update(id, text(`edit ${i}`))));
  const [stored] = await engine.conversation();
  const { parts } = stored!;
  expect((await engine.events()).at(-1)).toMatchObject({ kind: "message_updated", message: { id, parts } });
});

test("there is nothing to edit that is not whole and of the session", async () => {
  const engine = await setUpEdits();
  const other = await createSession(engine, { idempotencyKey: "", settings: (await engine.session())! });
  const { id } = await engine.append({});
  for (const [sessionId, messageId] of [
    [engine.id, "msg_0"],
    [engine.id, ""],
    [other.id, id],
  ] as const) {
    const attempt = updateMessage(engine, { sessionId, messageId, parts: [text("y")], actor: "me" });
    await expect(attempt).rejects.toMatchObject({ code: "not_found" });
  }
  expect((await engine.conversation())[0]?.parts).toEqual([text("x")]);
});
