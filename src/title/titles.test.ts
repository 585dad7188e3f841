import { GIVEN_WORKSPACES } from "../../test/helpers/given-workspaces.ts";
import { afterEach, expect, test } from "vitest";
import { createFakeClock } from "../../test/helpers/fake-clock.ts";
import { hangsAfter, says, scriptModel, type Answer } from "../../test/helpers/scripted-model.ts";
import type { EventPayload } from "../event/event.ts";
import { createEventLog } from "../event/event-log.ts";
import { newId } from "../id.ts";
import { createIdempotency } from "../idempotency/idempotency.ts";
import { insertMessage } from "../message/message-store.ts";
import { ModelError } from "../model/model.ts";
import { createProfiles } from "../profile/profile.ts";
import { createSession } from "../session/create-session.ts";
import { getSession, removeSession } from "../session/session-store.ts";
import { updateSession } from "../session/update-session.ts";
import { openSqlite } from "../store/sqlite.ts";
import { userMessage } from "../turn/open-turn.ts";
import { DEFAULT_LIMITS } from "../turn/turn.ts";
import { createTitles } from "./titles.ts";

const PROFILE = { name: "p", provider: "demo", model: "m1", baseUrl: "", apiKey: undefined, description: "" } as const;
const USAGE = { inputTokens: 70, outputTokens: 3, reasoningTokens: 0, cachedInputTokens: 0, modelCalls: 1 };

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

interface Situation {
  readonly said: string;
  readonly title: string;
  readonly mode: "model" | "off";
  /** Happens once, between the look at the session and what is stored by it. */
  readonly meanwhile: () => Promise<unknown>;
}

/** A session in which the user has said something, and a model for its title. */
async function setUp(answers: readonly Answer[], options: Partial<Situation> = {}) {
  const { said = "why is my Rust build slow?", title = "", mode = "model" } = options;
  const db = openSqlite(":memory:");
  const clock = createFakeClock();
  const script = scriptModel(...answers);
  const log = createEventLog(db, (payload) => Buffer.from(JSON.stringify(payload)), clock);
  const bugs: unknown[] = [];
  const onBug = (_what: string, error: unknown): void => void bugs.push(error);
  const profiles = createProfiles([PROFILE], "p");
  const idempotency = createIdempotency(db, clock);
  const deps = { db, log, clock, newId, profiles, models: script.models, random: () => 0, onBug, idempotency };
  const settings = {
    title,
    profile: "",
    model: "",
    systemPrompt: "be brief",
    workspace: "",
    labels: {},
    limits: DEFAULT_LIMITS,
    starred: false,
    resumeAfterRestart: false,
    retryPartial: false,
    approvalMode: "default" as const,
  };
  const { id, key } = await createSession({ ...deps, workspaces: GIVEN_WORKSPACES }, { idempotencyKey: "", settings });
  const turn = { id: "turn_1", sessionId: id, createTimeMs: clock.now() };
  const message = userMessage(deps, turn, [{ kind: "text", text: said }]);
  await log.append(id, { events: [], changes: (seq) => [insertMessage(key, message, seq)] });
  let { meanwhile } = options;
  const append: typeof log.append = async (...args) => {
    await meanwhile?.();
    meanwhile = undefined;
    return log.append(...args);
  };
  const titles = createTitles({ ...deps, log: { ...log, append } }, mode);
  closers.push(
    titles.close,
    () => log.close(),
    () => db.close(),
  );
  const session = () => getSession(db, id);
  return {
    ...deps,
    id,
    script,
    bugs,
    events: async () => {
      const rows = await db.all<{ payload: Uint8Array }>({
        sql: "SELECT payload FROM events ORDER BY seq",
        params: [],
      });
      return rows.map(({ payload }) => JSON.parse(Buffer.from(payload).toString()) as EventPayload);
    },
    titles,
    session,
    begin: async (model = "") => titles.begin(await session(), model),
    titled: async () => {
      await titles.close();
      return (await session()).title;
    },
    rename: (to: string) => updateSession(deps, { sessionId: id, changes: { title: to }, actor: "me" }),
  };
}

/** Waits until the model was asked. */
async function asked({ script }: Awaited<ReturnType<typeof setUp>>): Promise<void> {
  await expect.poll(() => script.requests.length, { interval: 1 }).toBe(1);
}

/** Waits until nothing is being made any more. */
async function made({ session }: Awaited<ReturnType<typeof setUp>>): Promise<string> {
  await expect.poll(async () => (await session()).title, { interval: 1 }).not.toBe("");
  return (await session()).title;
}

/** Waits until what it cost is stored. */
async function counted({ session }: Awaited<ReturnType<typeof setUp>>): Promise<void> {
  await expect.poll(async () => (await session()).usage.modelCalls, { interval: 1 }).toBe(1);
}

test("a session without a title gets what its model calls it, as an event, and what that cost", async () => {
  const usage = { kind: "usage", usage: USAGE } as const;
  const it = await setUp([[...says('"Slow Rust ', 'build."\n'), usage]]);
  await it.begin();
  expect(await made(it)).toBe("Slow Rust build");
  const session = await it.session();
  expect(session.usage).toEqual(USAGE);
  expect(await it.events()).toMatchObject([
    { kind: "usage_reported", messageId: "", usage: USAGE },
    { kind: "session_changed", session: { title: "Slow Rust build", usage: USAGE, lastSeq: 2, model: "m1" } },
  ]);
  expect(session.lastSeq).toBe(2);
  expect(it.script.leases()).toBe(0);
  expect(it.clock.timers()).toBe(0);
  expect(it.bugs).toEqual([]);
});

test("the model is told what the user said, cut, and nothing of the session's own instructions", async () => {
  const it = await setUp([says("t")], { said: `${"a".repeat(3999)}😀 and more` });
  await it.begin("m2");
  await made(it);
  const [request] = it.script.requests;
  expect(request).toMatchObject({ model: "m2", tools: [] });
  expect(request?.systemPrompt).not.toContain("be brief");
  expect(request?.messages.map(({ role, parts }) => ({ role, parts }))).toEqual([
    { role: "user", parts: [{ kind: "text", text: "a".repeat(3999) }] },
  ]);
});

test.each<[string, Answer]>([
  ["fails", [new ModelError("PROVIDER_RATE_LIMITED", "later", { retryable: true, retryAfterMs: 1 })]],
  ["breaks off", [{ kind: "text", text: "Slow" }]],
  ["says nothing", says("")],
  ["says only marks", says("***\n")],
])("where the model %s, a title is the first words, and it is asked once", async (_what, answer) => {
  const it = await setUp([answer]);
  await it.begin();
  expect(await made(it)).toBe("why is my Rust build slow?");
  expect(it.script.requests).toHaveLength(1);
  expect((await it.session()).usage.modelCalls).toBe(1);
  expect(it.bugs).toEqual([]);
});

test("a model that throws something of its own is a bug, and the title the first words", async () => {
  const it = await setUp([[new TypeError("oops")]]);
  await it.begin();
  expect(await made(it)).toBe("why is my Rust build slow?");
  expect(it.bugs).toHaveLength(1);
});

test("a model that talks without end is cut short", async () => {
  const it = await setUp([
    async function* () {
      for (;;) yield { kind: "text", text: "word ".repeat(50) };
    },
  ]);
  await it.begin();
  expect((await made(it)).length).toBeLessThanOrEqual(80);
});

test("a model that says nothing is waited for 30 seconds, not longer", async () => {
  const it = await setUp([(_request, signal) => hangsAfter("Slow", signal)]);
  await it.begin();
  await asked(it);
  await it.clock.advance(29_999);
  expect((await it.session()).title).toBe("");
  await it.clock.advance(1);
  expect(await made(it)).toBe("why is my Rust build slow?");
  expect(it.script.leases()).toBe(0);
});

test("a title set by hand while the model is asked stays, and what was asked is counted", async () => {
  const answer = Promise.withResolvers<void>();
  const it = await setUp([
    async function* () {
      await answer.promise;
      yield* says("Of the model");
      yield { kind: "usage", usage: USAGE };
    },
  ]);
  await it.begin();
  await asked(it);
  await it.rename("by hand");
  answer.resolve();
  await counted(it);
  expect((await it.session()).title).toBe("by hand");
  expect((await it.events()).map(({ kind }) => kind)).toEqual(["session_changed", "usage_reported"]);
});

test("a title set by hand between our look and our write stays, and no event tells another", async () => {
  const rename = (): Promise<unknown> => it.rename("by hand");
  const it = await setUp([says("Of the model")], { meanwhile: rename });
  await it.begin();
  await counted(it);
  expect((await it.session()).title).toBe("by hand");
  expect(titlesTold(await it.events())).toEqual(["by hand"]);
});

test("control: without the claim of what was looked at, an event tells a title that is none", async () => {
  const rename = (): Promise<unknown> => it.rename("by hand");
  const it = await setUp([says("Of the model")], { meanwhile: rename });
  const enqueue = it.db.enqueue.bind(it.db);
  it.db.enqueue = (transaction) =>
    enqueue({ ...transaction, statements: transaction.statements.map(({ sql, params }) => ({ sql, params })) });
  await it.begin();
  await counted(it);
  expect(titlesTold(await it.events())).toEqual(["by hand", "Of the model"]);
});

function titlesTold(events: readonly EventPayload[]): string[] {
  return events.flatMap((event) => (event.kind === "session_changed" ? event.session.title : []));
}

test("of many beginnings at once one is made, and none where there is a title", async () => {
  const it = await setUp([says("One")]);
  await Promise.all(Array.from({ length: 8 }, () => it.begin()));
  await made(it);
  await it.begin();
  expect(await it.titled()).toBe("One");
  expect(it.script.requests).toHaveLength(1);
  const named = await setUp([], { title: "by hand" });
  await named.begin();
  expect(await named.titled()).toBe("by hand");
  expect(named.script.requests).toEqual([]);
});

test("with titles off no model is called, and the title is the first words", async () => {
  const it = await setUp([], { mode: "off", said: "hello\nthere" });
  await it.begin();
  expect(await made(it)).toBe("hello there");
  expect((await it.events()).map(({ kind }) => kind)).toEqual(["session_changed"]);
  expect((await it.session()).usage.modelCalls).toBe(0);
});

test("where nothing was said that can be seen, no model is asked and there is no title", async () => {
  const it = await setUp([], { said: " \n\u200B" });
  await it.begin();
  expect(await it.titled()).toBe("");
});

test("an engine that stops does not wait for the model, and leaves the first words", async () => {
  const it = await setUp([(_request, signal) => hangsAfter("Slow", signal)]);
  await it.begin();
  await asked(it);
  expect(await it.titled()).toBe("why is my Rust build slow?");
  await it.begin();
  expect(it.script.leases()).toBe(0);
  expect(it.clock.timers()).toBe(0);
});

test("a session that is deleted takes its call with it", async () => {
  const it = await setUp([(_request, signal) => hangsAfter("Slow", signal)]);
  await it.begin();
  await asked(it);
  await it.db.transact(removeSession(await it.session(), it.clock.now()));
  it.titles.drop(it.id);
  it.titles.drop("ses_none");
  it.log.remove(it.id);
  await it.titles.close();
  expect(it.script.leases()).toBe(0);
  expect(await it.events()).toEqual([]);
  expect(it.bugs).toEqual([]);
});
