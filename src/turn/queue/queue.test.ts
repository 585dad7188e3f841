import { expect, test } from "vitest";
import { asksFor, hangsAfter, says } from "../../../test/helpers/scripted-model.ts";
import { deaf, echo, kinds, setUp } from "../../../test/helpers/turn-engine.ts";
import type { ModelRequest } from "../../model/model.ts";
import { openSqlite } from "../../store/sqlite.ts";
import type { Tool, ToolResult } from "../../tool/tool.ts";
import { followUp, removeQueued } from "./queue.ts";
import { listQueueAfter } from "./queue-store.ts";
import { steer } from "./steer.ts";
import { getTurn, listTurnsBefore } from "../turn-store.ts";
import { DEFAULT_LIMITS } from "../turn.ts";

type Engine = Awaited<ReturnType<typeof setUp>>;

function saySteer(engine: Engine, text: string, more: object = {}) {
  const parts = [{ kind: "text", text }] as const;
  return steer(engine, {
    sessionId: engine.id,
    idempotencyKey: "",
    parts,
    actor: "me",
    framing: "plain",
    expectedTurnId: "",
    ...more,
  });
}

function sayNext(engine: Engine, text: string, idempotencyKey = "") {
  return followUp(engine, { sessionId: engine.id, idempotencyKey, parts: [{ kind: "text", text }], actor: "me" });
}

async function waiting(engine: Engine): Promise<string[]> {
  const { key } = (await engine.session()) ?? { key: 0 };
  const queued = await listQueueAfter(engine.db, key, undefined, 50, 1e6);
  return queued.map(({ kind, parts: [part] }) => `${kind}: ${part?.kind === "text" ? part.text : ""}`);
}

/** What the model was sent of what users said. */
function said(request: ModelRequest | undefined): string[] {
  const users = request?.messages.filter(({ role }) => role === "user") ?? [];
  return users.map(({ parts }) => parts.map((part) => (part.kind === "text" ? part.text : "")).join(" "));
}

async function until(engine: Engine, isReached: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await isReached())) await engine.clock.advance(1);
}

const shown = (engine: Engine, kind: string) => async (): Promise<boolean> =>
  kinds(await engine.events()).includes(kind);

/** Waits until the test lets it go on. */
function gate() {
  const { promise, resolve } = Promise.withResolvers<ToolResult>();
  const tool: Tool = { ...echo, name: "wait", run: () => promise };
  return { tool, open: () => resolve({ text: "done" }) };
}

test("steers are taken up after the running calls, before the next model call, in order, each once", async () => {
  const { tool, open } = gate();
  const engine = await setUp([asksFor(["wait", "{}"]), says("ok")], {}, undefined, [tool]);
  const turn = await engine.start("begin");
  await until(engine, shown(engine, "tool_call_started"));
  expect(await saySteer(engine, "one")).toMatchObject({ position: 1, duplicate: false });
  expect(await saySteer(engine, "two", { framing: "instruction" })).toMatchObject({ position: 2 });
  open();
  expect(await engine.ended(turn)).toMatchObject({ endReason: "completed", steps: 2 });
  const [begin, one, two] = said(engine.script.requests[1]);
  expect([begin, one]).toEqual(["begin", "one"]);
  expect(two).toMatch(/^\[Said while you work\. Finish.* two$/);
  expect(await waiting(engine)).toEqual([]);
});

test("a steer while the last answer streams gets one more step", async () => {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const engine = await setUp([
    async function* slow() {
      yield { kind: "text", text: "the end" } as const;
      await promise;
      yield { kind: "stop", reason: "end" } as const;
    },
    says("more"),
  ]);
  const turn = await engine.start();
  await until(engine, shown(engine, "message_started"));
  await saySteer(engine, "and then?");
  resolve(undefined);
  expect(await engine.ended(turn)).toMatchObject({ endReason: "completed", steps: 2 });
  expect(said(engine.script.requests[1])).toEqual(["hello", "and then?"]);
});

test("a replacement stops the model call, and the turn goes on with what was said", async () => {
  const engine = await setUp([(_request, signal) => hangsAfter("blah", signal), says("fine")]);
  const turn = await engine.start();
  await until(engine, shown(engine, "message_started"));
  await saySteer(engine, "stop that", { framing: "replacement" });
  expect(await engine.ended(turn)).toMatchObject({ endReason: "completed", steps: 2 });
  expect((await engine.conversation()).map(({ role, status }) => `${role} ${status}`)).toEqual([
    "user complete",
    "assistant cancelled",
    "user complete",
    "assistant complete",
  ]);
});

test("a replacement stops running tools and closes their calls", async () => {
  const engine = await setUp([asksFor(["deaf", "{}"]), says("fine")], {}, undefined, [deaf]);
  const turn = await engine.start();
  await until(engine, shown(engine, "tool_call_started"));
  await saySteer(engine, "stop that", { framing: "replacement" });
  expect(await engine.ended(turn)).toMatchObject({ endReason: "completed" });
  const roles = engine.script.requests[1]?.messages.map(({ role, parts: [part] }) =>
    part?.kind === "tool_result" ? part.outcome : role,
  );
  expect(roles).toEqual(["user", "assistant", "cancelled", "user"]);
});

test("a steer is refused where no turn runs, another one does, or five wait", async () => {
  const engine = await setUp([(_request, signal) => hangsAfter("…", signal)]);
  await expect(saySteer(engine, "early")).rejects.toMatchObject({ reason: "NO_TURN_RUNNING" });
  const turn = await engine.start();
  await expect(saySteer(engine, "x", { expectedTurnId: "turn_other" })).rejects.toMatchObject({
    reason: "TURN_CHANGED",
  });
  const outcomes = await Promise.allSettled(Array.from({ length: 8 }, (_, i) => saySteer(engine, `s${i}`)));
  const refused = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason as unknown] : []));
  expect(refused).toHaveLength(3);
  for (const error of refused) expect(error).toMatchObject({ reason: "QUEUE_FULL" });
  expect(await waiting(engine)).toHaveLength(5);
  await engine.cancel();
  expect(await getTurn(engine.db, engine.id, turn.id)).toMatchObject({ endReason: "cancelled" });
});

test("a steer that comes as its turn hands over to the next one is for that one", async () => {
  const { tool, open } = gate();
  const engine = await setUp(
    [asksFor(["wait", "{}"]), says("a"), (_request, signal) => hangsAfter("…", signal)],
    {},
    undefined,
    [tool],
  );
  const first = await engine.start("a");
  await until(engine, shown(engine, "tool_call_started"));
  await sayNext(engine, "b");
  let isLate = false;
  const append: Engine["log"]["append"] = async (...args) => {
    if (!isLate) {
      isLate = true;
      open();
      await engine.ended(first);
    }
    return engine.log.append(...args);
  };
  expect(await saySteer({ ...engine, log: { ...engine.log, append } }, "and c")).toMatchObject({ position: 1 });
  expect(await waiting(engine)).toEqual(["steer: and c"]);
});

test("the same key steers once", async () => {
  const engine = await setUp([(_request, signal) => hangsAfter("…", signal)]);
  await engine.start();
  const [first, second] = await Promise.all([1, 2].map(() => saySteer(engine, "s", { idempotencyKey: "k" })));
  expect([first?.id, first?.duplicate, second?.duplicate]).toEqual([second?.id, false, true]);
  expect(await waiting(engine)).toEqual(["steer: s"]);
});

test("a follow-up starts at once on an idle session, and else waits for its turn", async () => {
  const { tool, open } = gate();
  const engine = await setUp([asksFor(["wait", "{}"]), says("one"), says("two"), says("three")], {}, undefined, [tool]);
  const first = await sayNext(engine, "first");
  expect(first).toMatchObject({ position: 0, queuedId: "", turn: { state: "running" } });
  expect(await sayNext(engine, "second", "k")).toMatchObject({ turn: undefined, position: 1, duplicate: false });
  expect(await sayNext(engine, "third")).toMatchObject({ turn: undefined, position: 2 });
  expect(await waiting(engine)).toEqual(["follow_up: second", "follow_up: third"]);
  open();
  await until(engine, async () => (await waiting(engine)).length === 0 && (await engine.session())?.state === "idle");
  expect(said(engine.script.requests.at(-1))).toEqual(["first", "second", "third"]);
  expect(await sayNext(engine, "second", "k")).toMatchObject({ turn: { endReason: "completed" }, duplicate: true });
  const order = kinds(await engine.events()).filter((kind) => kind === "turn_started" || kind === "turn_ended");
  expect(order).toEqual(["turn_started", "turn_ended", "turn_started", "turn_ended", "turn_started", "turn_ended"]);
});

test("the queue waits after a turn that did not complete; a follow-up then joins its end, and the head starts", async () => {
  const engine = await setUp([(_request, signal) => hangsAfter("…", signal), says("b"), says("c")]);
  await engine.start("a");
  await sayNext(engine, "b");
  await engine.cancel();
  expect(await waiting(engine)).toEqual(["follow_up: b"]);
  const joined = await sayNext(engine, "c");
  expect(joined).toMatchObject({ turn: undefined, position: 1 });
  await until(engine, async () => (await waiting(engine)).length === 0 && (await engine.session())?.state === "idle");
  expect(said(engine.script.requests.at(-1))).toEqual(["a", "b", "c"]);
});

test("follow-ups at once on an idle session whose queue waits are each said once, and the head starts", async () => {
  const engine = await setUp([
    (_request, signal) => hangsAfter("…", signal),
    ...Array.from({ length: 6 }, () => says("ok")),
  ]);
  await engine.start("a");
  await sayNext(engine, "b");
  await engine.cancel();
  const texts = ["c", "d", "e", "f"];
  await Promise.all(texts.map((text, i) => sayNext(engine, text, i % 2 === 0 ? `key ${text}` : "")));
  await until(engine, async () => (await waiting(engine)).length === 0 && (await engine.session())?.state === "idle");
  const [a, b, ...rest] = said(engine.script.requests.at(-1));
  expect([a, b, ...rest.toSorted()]).toEqual(["a", "b", ...texts]);
  expect(engine.bugs).toEqual([]);
});

test("a follow-up on an idle session is queued where the head is removed before it starts", async () => {
  const engine = await setUp([(_request, signal) => hangsAfter("…", signal), says("c")]);
  await engine.start("a");
  const { queuedId } = await sayNext(engine, "b");
  await engine.cancel();
  const [, joined] = await Promise.all([
    removeQueued(engine, { sessionId: engine.id, queuedId, actor: "me" }),
    sayNext(engine, "c", "k"),
  ]);
  expect(joined.duplicate).toBe(false);
  await until(engine, async () => (await waiting(engine)).length === 0 && (await engine.session())?.state === "idle");
  expect(said(engine.script.requests.at(-1))).toEqual(["a", "c"]);
});

test.each(["steer", "follow_up"])(
  "a %s that comes in the moment in which its turn ends is not left behind",
  async (kind) => {
    const db = openSqlite(":memory:");
    let beforeEnd: (() => Promise<unknown>) | undefined;
    const all: typeof db.all = async (statement, stop) => {
      const rows = await db.all(statement, stop);
      // The end has read what waits, and has not been stored.
      if (beforeEnd !== undefined && statement.params[1] === "follow_up") {
        const late = beforeEnd;
        beforeEnd = undefined;
        await late();
      }
      return rows;
    };
    const engine = await setUp([says("a"), says("b")], {}, { ...db, all });
    beforeEnd = () => (kind === "steer" ? saySteer(engine, "late") : sayNext(engine, "late"));
    await engine.start("a");
    await until(engine, async () => (await engine.session())?.state === "idle");
    expect(await waiting(engine)).toEqual([]);
    expect(said(engine.script.requests[1])).toEqual(["a", "late"]);
  },
);

const hangs = (_request: ModelRequest, signal: AbortSignal) => hangsAfter("…", signal);

test("a full queue that waits on an idle session has room for who starts it, and is untouched where it has none", async () => {
  const engine = await setUp([hangs, hangs, hangs]);
  await engine.start("a");
  for (let i = 0; i < 20; i++) await sayNext(engine, `f${i}`);
  await engine.cancel();
  expect(await sayNext(engine, "one more", "k")).toMatchObject({ turn: undefined, position: 20 });
  expect(await waiting(engine)).toHaveLength(20);
  await until(engine, () => engine.script.requests.length === 2);
  await saySteer(engine, "s");
  await engine.cancel();
  const before = [await waiting(engine), await engine.events()];
  expect(before[0]).toHaveLength(21);
  await expect(sayNext(engine, "too much", "k2")).rejects.toMatchObject({ reason: "QUEUE_FULL" });
  expect([await waiting(engine), await engine.events()]).toEqual(before);
});

test("steers that their turn did not take up become the first follow-ups", async () => {
  const limits = { ...DEFAULT_LIMITS, maxSteps: 1 };
  const { tool, open } = gate();
  const engine = await setUp([asksFor(["wait", "{}"])], { limits, approvalMode: "restricted" }, undefined, [tool]);
  const turn = await engine.start();
  await until(engine, shown(engine, "tool_call_started"));
  await sayNext(engine, "later");
  await saySteer(engine, "s1");
  await saySteer(engine, "s2");
  open();
  expect(await engine.ended(turn)).toMatchObject({ endReason: "limit_reached" });
  expect(await waiting(engine)).toEqual(["follow_up: s1", "follow_up: s2", "follow_up: later"]);
});

test("what waits survives a kill, and a removed message is never taken up", async () => {
  const engine = await setUp([(_request, signal) => hangsAfter("…", signal)]);
  await engine.start("a");
  await sayNext(engine, "b");
  const { queuedId } = await sayNext(engine, "c");
  await until(engine, shown(engine, "message_started"));
  const next = await engine.restart(says("b"), says("d"));
  await next.recover();
  expect(await waiting(next)).toEqual(["follow_up: b", "follow_up: c"]);
  await removeQueued(next, { sessionId: next.id, queuedId, actor: "me" });
  await expect(removeQueued(next, { sessionId: next.id, queuedId, actor: "me" })).rejects.toMatchObject({
    reason: "QUEUED_NOT_FOUND",
  });
  await sayNext(next, "d");
  await until(next, async () => (await waiting(next)).length === 0 && (await next.session())?.state === "idle");
  expect(said(next.script.requests.at(-1))).toEqual(["a", "b", "d"]);
});

test("thrown at a session from all sides, each message is taken up once, in order, or still waits", async () => {
  const engine = await setUp(Array.from({ length: 60 }, () => says("ok")));
  const accepted: string[] = [];
  const refusals: unknown[] = [];
  const senders = Array.from({ length: 8 }, async (_, sender) => {
    for (let i = 0; i < 6; i++) {
      const text = `${sender}.${i}`;
      const outcome = await Promise.allSettled([i % 2 === 0 ? sayNext(engine, text) : saySteer(engine, text)]);
      if (outcome[0].status === "fulfilled") accepted.push(text);
      else refusals.push(outcome[0].reason);
    }
  });
  await Promise.all(senders);
  const reason: unknown = expect.stringMatching(/^(NO_TURN_RUNNING|QUEUE_FULL)$/);
  for (const refusal of refusals) expect(refusal).toMatchObject({ name: "DomainError", reason });
  await until(engine, async () => (await engine.session())?.state === "idle");
  const { key } = (await engine.session()) ?? { key: 0 };
  const taken = (await engine.conversation())
    .filter(({ role }) => role === "user")
    .map(({ parts: [part] }) => (part?.kind === "text" ? part.text : ""));
  const left = (await waiting(engine)).map((line) => line.split(": ")[1] ?? "");
  expect([...taken, ...left].toSorted()).toEqual(accepted.toSorted());
  const turns = await listTurnsBefore(engine.db, key, undefined, 100);
  expect(turns.every(({ endReason }) => endReason === "completed")).toBe(true);
  expect(engine.bugs).toEqual([]);
});
