import { expect, test } from "vitest";
import { asksFor, hangsAfter, says } from "../../test/helpers/scripted-model.ts";
import { deaf, echo, kinds, setUp } from "../../test/helpers/turn-engine.ts";
import { ModelError } from "../model/model.ts";
import { deleteSession } from "../session/delete-session.ts";
import { createRequestBells } from "../request/request-bells.ts";
import { createRemovedSessions } from "../session/removed-sessions.ts";
import { getSession } from "../session/session-store.ts";
import type { Tool, ToolResult } from "../tool/tool.ts";
import { toTranscript } from "./context/transcript.ts";
import { getTurn, setCancelling } from "./turn-store.ts";
import { DEFAULT_LIMITS } from "./turn.ts";

const flaky = (): ModelError => new ModelError("PROVIDER_ERROR", "the provider failed", { retryable: true });

test("a turn is: started, what the user said, a step, the answer, its usage, ended", async () => {
  const engine = await setUp([says("hello ", "you")]);
  const turn = await engine.ended(await engine.start());
  expect(turn).toMatchObject({
    state: "ended",
    endReason: "completed",
    steps: 1,
    firstSeq: 1,
    model: "m1",
    usage: { modelCalls: 1 },
  });
  expect(kinds(await engine.events())).toEqual([
    "turn_started",
    "message_completed",
    "step_started",
    "message_started",
    "message_completed",
    "usage_reported",
    "turn_ended",
  ]);
  expect((await engine.conversation()).map(({ role, parts }) => [role, parts])).toEqual([
    ["user", [{ kind: "text", text: "hello" }]],
    ["assistant", [{ kind: "text", text: "hello you" }]],
  ]);
  expect(await getSession(engine.db, engine.id)).toMatchObject({
    state: "idle",
    runningTurnId: "",
    lastTurnId: turn.id,
  });
  expect(engine.script.requests[0]).toMatchObject({
    model: "m1",
    systemPrompt: "be brief",
    messages: [{ role: "user" }],
  });
  expect(engine.script.leases()).toBe(0);
});

test("calls run side by side, their results go back to the model, and a tool's failure is told to it", async () => {
  const calls = asksFor(["echo", '{"a":1}'], ["broken", "{}"], ["nobody", "{}"], ["echo", "not json"]);
  const engine = await setUp([calls, says("done")]);
  const turn = await engine.ended(await engine.start());
  expect(turn).toMatchObject({ endReason: "completed", steps: 2, usage: { modelCalls: 2 } });
  const results = engine.script.requests[1]?.messages
    .flatMap(({ parts }) => parts)
    .filter((part) => part.kind === "tool_result");
  expect(results?.map(({ outcome, text }) => [outcome, text])).toEqual([
    ["succeeded", '{"a":1}'],
    ["failed", "it broke"],
    ["failed", "There is no tool named nobody."],
    ["failed", "The arguments were not a JSON object; the tool was not run."],
  ]);
  const started = (await engine.events()).filter(({ kind }) => kind === "tool_call_started");
  expect(started).toHaveLength(2);
});

test("a second turn is refused while one runs, and leaves nothing behind", async () => {
  const engine = await setUp([(_request, signal) => hangsAfter("…", signal)]);
  const turn = await engine.start();
  const before = await engine.events();
  await expect(engine.start()).rejects.toMatchObject({ reason: "SESSION_BUSY", metadata: { turn_id: turn.id } });
  expect(await engine.conversation()).toHaveLength(before.length > 3 ? 2 : 1);
});

test("of many starts at once one wins", async () => {
  const engine = await setUp([says("hi")]);
  const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => engine.start()));
  expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  const refused = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason as unknown] : []));
  expect(refused).toHaveLength(19);
  for (const error of refused) expect(error).toMatchObject({ reason: "SESSION_BUSY" });
});

test("a cancel ends the turn once, keeps what was said, closes its calls, and the next turn is sent a valid history", async () => {
  const engine = await setUp([asksFor(["deaf", "{}"], ["echo", "{}"]), says("fine")]);
  const turn = await engine.start();
  while ((await engine.events()).filter(({ kind }) => kind === "tool_call_ended").length < 1)
    await engine.clock.advance(1);
  expect(await engine.cancel()).toMatchObject({ turn: { id: turn.id, state: "ended", endReason: "cancelled" } });
  await expect(engine.cancel()).rejects.toMatchObject({ reason: "NO_TURN_RUNNING" });
  expect((await engine.events()).filter(({ kind }) => kind === "turn_ended")).toHaveLength(1);
  await engine.ended(await engine.start("again"));
  const roles = engine.script.requests[1]?.messages.map(({ role, parts: [part] }) =>
    part?.kind === "tool_result" ? part.outcome : role,
  );
  expect(roles).toEqual(["user", "assistant", "cancelled", "succeeded", "user"]);
});

test("a cancel at the moment a call ends neither loses nor doubles its end", async () => {
  const cancel = { now: (): void => {} };
  // Runs after the call has ended and before its end is stored.
  const run = async (): Promise<ToolResult> => {
    setImmediate(cancel.now);
    return { text: "quick" };
  };
  const quick: Tool = { ...echo, name: "quick", run };
  const engine = await setUp([asksFor(["quick", "{}"], ["deaf", "{}"])], {}, undefined, [quick, deaf]);
  const turn = await engine.start();
  cancel.now = () => void engine.runner.stop(turn.id, "cancelled");
  expect(await engine.ended(turn)).toMatchObject({ endReason: "cancelled" });
  expect(engine.bugs).toEqual([]);
  expect((await engine.events()).filter(({ kind }) => kind === "tool_call_ended")).toHaveLength(2);
});

test("a cancelled answer is kept and shown, and not sent again", async () => {
  const engine = await setUp([(_request, signal) => hangsAfter("half an ans", signal), says("ok")]);
  await engine.start();
  while (!kinds(await engine.events()).includes("message_started")) await engine.clock.advance(1);
  await engine.cancel();
  expect((await engine.conversation()).at(-1)).toMatchObject({ status: "cancelled", parts: [{ text: "half an ans" }] });
  await engine.ended(await engine.start("again"));
  expect(engine.script.requests[1]?.messages.map(({ role }) => role)).toEqual(["user", "user"]);
});

test("a failed call before the first token is tried again, visibly, and counted", async () => {
  const engine = await setUp([[flaky()], [flaky()], says("at last")]);
  const turn = await engine.start();
  for (let i = 0; i < 5; i++) await engine.clock.advance(1000);
  expect(await engine.ended(turn)).toMatchObject({ endReason: "completed", steps: 1, usage: { modelCalls: 3 } });
  const retries = (await engine.events()).filter(({ kind }) => kind === "retry_scheduled");
  expect(retries).toMatchObject([{ attempt: 1, error: { reason: "PROVIDER_ERROR" } }, { attempt: 2 }]);
});

test("a call that fails after the first token ends the turn, retryable, and RetryTurn goes on", async () => {
  const engine = await setUp([[...says("par").slice(0, 1), flaky()], says("whole")]);
  const turn = await engine.ended(await engine.start());
  expect(turn).toMatchObject({ endReason: "failed", error: { reason: "PROVIDER_ERROR", retryable: true } });
  expect((await engine.conversation()).at(-1)).toMatchObject({ status: "failed", parts: [{ text: "par" }] });
  expect(await engine.ended(await engine.retry())).toMatchObject({ endReason: "completed" });
  expect(engine.script.requests[1]?.messages.map(({ role }) => role)).toEqual(["user"]);
  await expect(engine.retry()).rejects.toMatchObject({ reason: "NOTHING_TO_RETRY" });
});

test("where the session wants it, a call that fails half-way is made again", async () => {
  const engine = await setUp([[...says("par").slice(0, 1), flaky()], says("whole")], { retryPartial: true });
  const turn = await engine.start();
  while ((await getTurn(engine.db, engine.id, turn.id)).state !== "ended") await engine.clock.advance(1000);
  const messages = await engine.conversation();
  expect(messages.map(({ status }) => status)).toEqual(["complete", "failed", "complete"]);
  expect(kinds(await engine.events())).toContain("retry_scheduled");
});

test("a turn that always asks for tools ends where its steps are used", async () => {
  const limits = { ...DEFAULT_LIMITS, maxSteps: 3 };
  const engine = await setUp(
    Array.from({ length: 5 }, () => asksFor(["echo", "{}"])),
    { limits, approvalMode: "restricted" },
  );
  expect(await engine.ended(await engine.start())).toMatchObject({
    endReason: "limit_reached",
    steps: 3,
    error: { reason: "STEPS_EXHAUSTED" },
  });
});

test("a turn ends where its working time is used, whatever it is doing", async () => {
  const limits = { ...DEFAULT_LIMITS, maxWorkingTimeMs: 5000 };
  const engine = await setUp([asksFor(["deaf", "{}"])], { limits, approvalMode: "restricted" });
  const turn = await engine.start();
  await engine.clock.advance(5000);
  expect(await engine.ended(turn)).toMatchObject({ endReason: "limit_reached", error: { reason: "TIME_EXHAUSTED" } });
  expect(engine.clock.timers()).toBe(0);
});

test("an answer of more than 1 MiB is cut at a whole character, and ends the turn", async () => {
  const piece = "🐦".repeat(50_000);
  const engine = await setUp([says("x", ...Array.from({ length: 8 }, () => piece))]);
  expect(await engine.ended(await engine.start())).toMatchObject({
    endReason: "limit_reached",
    error: { reason: "MESSAGE_TOO_LARGE" },
  });
  const [part] = (await engine.conversation()).at(-1)?.parts ?? [];
  const text = part?.kind === "text" ? part.text : "";
  expect(text.isWellFormed()).toBe(true);
  expect(Buffer.byteLength(text)).toBeGreaterThan(1024 * 1024 - 4);
  expect(Buffer.byteLength(text)).toBeLessThanOrEqual(1024 * 1024);
});

test("a key used again returns its turn, at once and later; with other content it is refused", async () => {
  const engine = await setUp([says("one")]);
  const same = { idempotencyKey: "k" };
  const turns = await Promise.all(Array.from({ length: 10 }, () => engine.start("hello", same)));
  expect(new Set(turns.map(({ id }) => id)).size).toBe(1);
  await engine.ended(turns[0] ?? { id: "" });
  expect(await engine.start("hello", same)).toMatchObject({ id: turns[0]?.id, state: "ended" });
  await expect(engine.start("other", same)).rejects.toMatchObject({ reason: "IDEMPOTENCY_KEY_REUSED" });
  expect(engine.script.requests).toHaveLength(1);
});

test("a turn that others have overtaken is refused", async () => {
  const engine = await setUp([says("one"), says("two")]);
  const first = await engine.ended(await engine.start());
  await engine.ended(await engine.start("next", { expectedTurnId: first.id }));
  await expect(engine.start("late", { expectedTurnId: first.id })).rejects.toMatchObject({ reason: "TURN_CHANGED" });
});

test("a bug ends its turn and not the engine", async () => {
  const engine = await setUp([[new TypeError("a bug")], says("alive")]);
  expect(await engine.ended(await engine.start())).toMatchObject({
    endReason: "failed",
    error: { reason: "INTERNAL" },
  });
  expect(engine.bugs).toHaveLength(1);
  expect(await engine.ended(await engine.start())).toMatchObject({ endReason: "completed" });
});

test("an engine that stops ends its turns INTERRUPTED, and leaves those that go on by themselves", async () => {
  const engine = await setUp([(_request, signal) => hangsAfter("half", signal)]);
  const turn = await engine.start();
  await engine.clock.advance(1);
  await engine.runner.stopAll();
  expect(await engine.ended(turn)).toMatchObject({
    endReason: "interrupted",
    error: { reason: "ENGINE_STOPPED", retryable: true },
  });

  const other = await setUp([(_request, signal) => hangsAfter("half", signal)], { resumeAfterRestart: true });
  const left = await other.start();
  await other.clock.advance(1);
  await other.runner.stopAll();
  expect(await getTurn(other.db, other.id, left.id)).toMatchObject({ state: "running" });
});

test("after a kill a partial answer is INTERRUPTED with its text, the turn ends, and the session is usable", async () => {
  const engine = await setUp([(_request, signal) => hangsAfter("half", signal)]);
  const turn = await engine.start();
  while (!kinds(await engine.events()).includes("message_started")) await engine.clock.advance(1);
  const next = await engine.restart(says("again"));
  expect(await next.recover()).toBe(1);
  expect(await next.ended(turn)).toMatchObject({ endReason: "interrupted" });
  expect((await next.conversation()).at(-1)).toMatchObject({ status: "interrupted", parts: [{ text: "half" }] });
  expect(await next.ended(await next.retry())).toMatchObject({ endReason: "completed" });
});

test("after a kill a call that had started is UNKNOWN, told so to the model, and never run again", async () => {
  const engine = await setUp([asksFor(["deaf", "{}"])], { resumeAfterRestart: true });
  const turn = await engine.start();
  while (!kinds(await engine.events()).includes("tool_call_started")) await engine.clock.advance(1);
  const next = await engine.restart(says("I see"));
  await next.recover();
  expect(await next.ended(turn)).toMatchObject({ endReason: "completed" });
  expect(toTranscript(next.script.requests[0]?.messages ?? []).at(-1)).toMatchObject({
    parts: [{ outcome: "unknown" }],
  });
  expect((await next.events()).filter(({ kind }) => kind === "tool_call_started")).toHaveLength(1);
});

test("after a kill a turn that was being cancelled ends CANCELLED, even where turns go on by themselves", async () => {
  const engine = await setUp([asksFor(["deaf", "{}"])], { resumeAfterRestart: true });
  const turn = await engine.start();
  while (!kinds(await engine.events()).includes("tool_call_started")) await engine.clock.advance(1);
  await engine.db.transact([setCancelling(turn.id)]);
  const next = await engine.restart();
  await next.recover();
  expect(await next.ended(turn)).toMatchObject({ endReason: "cancelled" });
  expect((await next.conversation()).at(-1)).toMatchObject({ role: "tool", parts: [{ outcome: "unknown" }] });
});

test("a turn that has killed four engines is given up", async () => {
  const engine = await setUp([asksFor(["deaf", "{}"])], { resumeAfterRestart: true });
  const turn = await engine.start();
  while (!kinds(await engine.events()).includes("tool_call_started")) await engine.clock.advance(1);
  let next = engine;
  const answers = async (): Promise<number> =>
    kinds(await next.events()).filter((kind) => kind === "message_started").length;
  for (let kills = 1; kills <= 3; kills++) {
    next = await next.restart((_request, signal) => hangsAfter("hm", signal));
    await next.recover();
    for (let seen = 0; seen <= kills; seen = await answers()) await next.clock.advance(1);
  }
  next = await next.restart();
  await next.recover();
  expect(await next.ended(turn)).toMatchObject({ endReason: "failed", error: { reason: "RECOVERY_LIMIT" } });
});

test("a session that is deleted takes its turn with it, and everything else in the background", async () => {
  const engine = await setUp([(_request, signal) => hangsAfter("half", signal)]);
  const turn = await engine.start();
  const removed = createRemovedSessions(engine.db, (_what, error) => void engine.bugs.push(error));
  const stopTurn = (): Promise<unknown> => engine.cancel();
  const bells = createRequestBells(engine.clock);
  await deleteSession({ ...engine, removed, stopTurn, endProcesses: async () => {}, bells }, engine.id, "");
  await removed.close();
  await expect(
    deleteSession({ ...engine, removed, stopTurn, endProcesses: async () => {}, bells }, engine.id, ""),
  ).rejects.toMatchObject({
    reason: "SESSION_NOT_FOUND",
  });
  await expect(engine.start()).rejects.toMatchObject({ reason: "SESSION_NOT_FOUND" });
  expect(engine.bugs).toEqual([]);
  expect(turn.id).not.toBe("");
});
