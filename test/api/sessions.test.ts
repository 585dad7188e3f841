import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  createSession,
  kindsOf,
  listMessages,
  listSessions,
  listTurns,
  refusalOf,
  replay,
  runTurn,
  stateOf,
  text,
  textOf,
  toRefusal,
} from "./observe.ts";
import { startUpstream, type Upstream } from "./scripted-upstream.ts";
import { startTestEngine, type TestEngine } from "./test-engine.ts";

let engine: TestEngine;
let upstream: Upstream;

beforeAll(async () => {
  upstream = await startUpstream();
  engine = await startTestEngine({ openai: upstream.url });
});

afterAll(async () => {
  await engine.dispose();
  await upstream.close();
});

const all = {
  title: "first",
  profile: "demo",
  model: "m-1",
  systemPrompt: "be brief",
  labels: { a: "1", b: "2" },
  limits: { maxSteps: 7, maxTokens: 1000n, maxSilence: { seconds: 9n } },
  resumeAfterRestart: true,
  retryPartial: true,
};

describe("UpdateSession", () => {
  const changes = {
    title: "second",
    profile: "openai",
    model: "m-2",
    systemPrompt: "be long",
    labels: { values: { c: "3" } },
    limits: { maxSteps: 8 },
    resumeAfterRestart: false,
    retryPartial: false,
    starred: true,
  };
  const fields = Object.keys(changes) as (keyof typeof changes)[];

  it.each(fields)("changes %s and leaves the rest", async (field) => {
    const before = await createSession(engine, all);
    const value = changes[field];
    const { session: after } = await engine.sessions.updateSession({ sessionId: before.id, [field]: value });
    // Of limits, what is not named goes back to its default.
    const limits = {
      ...before.limits,
      maxSteps: 8,
      maxTokens: 0n,
      maxSilence: { ...before.limits?.maxSilence, seconds: 120n },
    };
    const expected = {
      ...before,
      [field]: { labels: { c: "3" }, limits, other: value }[field === "labels" || field === "limits" ? field : "other"],
    };
    for (const name of fields) expect({ [name]: after?.[name] }).toEqual({ [name]: expected[name] });
    expect(after?.lastSeq).toBeGreaterThan(before.lastSeq);
    expect((await engine.sessions.getSession({ sessionId: before.id })).session).toEqual(after);
  });

  it("leaves everything alone where nothing is set", async () => {
    const before = await createSession(engine, all);
    const { session: after } = await engine.sessions.updateSession({ sessionId: before.id });
    expect({ ...after, lastSeq: 0n, updateTime: undefined }).toEqual({ ...before, lastSeq: 0n, updateTime: undefined });
  });

  it("takes an empty value for a value, and labels without entries for none", async () => {
    const { id: sessionId } = await createSession(engine, all);
    const { session } = await engine.sessions.updateSession({
      sessionId,
      title: "",
      profile: "",
      model: "",
      systemPrompt: "",
      labels: {},
      limits: {},
      starred: false,
    });
    // An empty profile is the default one, an empty model that profile's.
    expect(session).toMatchObject({ title: "", profile: "openai", model: "scripted-1", systemPrompt: "", labels: {} });
    expect(session?.limits).toMatchObject({ maxSteps: 50, maxTokens: 0n });
  });

  it("tells every change, and the model's by itself", async () => {
    const { id: sessionId } = await createSession(engine, { profile: "demo" });
    await engine.sessions.updateSession({ sessionId, title: "t" });
    await engine.sessions.updateSession({ sessionId, model: "m" });
    await engine.sessions.updateSession({ sessionId, model: "m" });
    await engine.sessions.updateSession({ sessionId, profile: "openai", model: "" });
    const events = await replay(engine, sessionId);
    expect(kindsOf(events)).toEqual([
      "sessionChanged",
      "modelChanged",
      "sessionChanged",
      "sessionChanged",
      "modelChanged",
      "sessionChanged",
    ]);
    expect(events.map(({ actor, turnId }) => [actor, turnId])).toEqual(events.map(() => ["admin", ""]));
    const models = events.flatMap(({ payload }) => (payload.case === "modelChanged" ? [payload.value] : []));
    expect(models).toMatchObject([
      { profile: "demo", model: "m" },
      { profile: "openai", model: "scripted-1" },
    ]);
    const last = events.at(-1)?.payload;
    const { session } = await engine.sessions.getSession({ sessionId });
    expect(last?.case === "sessionChanged" && last.value.session).toEqual(session);
  });

  it("keeps what others change at the same time", async () => {
    const { id: sessionId } = await createSession(engine);
    const updates = [
      { title: "t" },
      { systemPrompt: "p" },
      { model: "m" },
      { starred: true },
      { retryPartial: true },
      { resumeAfterRestart: true },
      { labels: { values: { a: "1" } } },
      { limits: { maxSteps: 3 } },
    ];
    await Promise.all(updates.map((update) => engine.sessions.updateSession({ sessionId, ...update })));
    const { session } = await engine.sessions.getSession({ sessionId });
    expect(session).toMatchObject({
      title: "t",
      systemPrompt: "p",
      model: "m",
      starred: true,
      retryPartial: true,
      resumeAfterRestart: true,
      labels: { a: "1" },
      limits: { maxSteps: 3 },
    });
    expect(kindsOf(await replay(engine, sessionId)).filter((kind) => kind === "sessionChanged")).toHaveLength(
      updates.length,
    );
  });

  it("moves update_time on, and never back", async () => {
    const session = await createSession(engine);
    let before = session.updateTime!;
    for (let i = 0; i < 5; i++) {
      const { session: after } = await engine.sessions.updateSession({ sessionId: session.id, title: `${i}` });
      const { seconds, nanos } = after!.updateTime!;
      expect(seconds > before.seconds || (seconds === before.seconds && nanos > before.nanos)).toBe(true);
      before = after!.updateTime!;
    }
  });

  it("reaches a running turn with its next step", async () => {
    const { id: sessionId } = await createSession(engine, { profile: "openai", model: "m-1" });
    const changed = Promise.withResolvers<void>();
    upstream.script(async (answer, request, number) => {
      if (request.model === "m-1") {
        await changed.promise;
        answer.call("up", "now", "{}");
        answer.end("tool_calls");
      } else {
        answer.text(`${number}`);
        answer.end();
      }
    });
    const turn = engine.messages.startTurn({ sessionId, parts: text("go") });
    await turn;
    await engine.sessions.updateSession({ sessionId, model: "m-2", systemPrompt: "new" });
    changed.resolve();
    await replayUntilIdle(sessionId);
    const [first, second] = upstream.requests.slice(-2);
    expect([first?.model, first?.messages[0]?.role]).toEqual(["m-1", "user"]);
    expect([second?.model, second?.messages[0]?.content]).toEqual(["m-2", "new"]);
  });
});

async function replayUntilIdle(sessionId: string): Promise<void> {
  for await (const { payload } of engine.messages.watchSession({ sessionId })) {
    if (payload.case === "event" && payload.value.payload.case === "turnEnded") return;
  }
}

describe("idempotency_key of CreateSession", () => {
  it("makes one session of twenty calls at once", async () => {
    const before = (await listSessions(engine)).length;
    const request = { idempotencyKey: "twenty", ...all };
    const made = await Promise.all(Array.from({ length: 20 }, () => engine.sessions.createSession(request)));
    expect(new Set(made.map(({ session }) => session?.id)).size).toBe(1);
    expect(await listSessions(engine)).toHaveLength(before + 1);
  });

  it("returns the session as it is now", async () => {
    const { id: sessionId } = await createSession(engine, { idempotencyKey: "as it is", title: "old" });
    await engine.sessions.updateSession({ sessionId, title: "new" });
    expect(await createSession(engine, { idempotencyKey: "as it is", title: "old" })).toMatchObject({
      id: sessionId,
      title: "new",
    });
  });

  it("is refused with any other content", async () => {
    await createSession(engine, { idempotencyKey: "content", ...all });
    const before = await listSessions(engine);
    for (const field of Object.keys(all)) {
      const request = { idempotencyKey: "content", ...all, [field]: undefined };
      const { [field as "title"]: _removed, ...other } = request;
      expect(await refusalOf(engine.sessions.createSession(other))).toMatchObject({
        code: "ALREADY_EXISTS",
        reason: "IDEMPOTENCY_KEY_REUSED",
        metadata: { idempotency_key: "content" },
      });
    }
    expect(await listSessions(engine)).toEqual(before);
  });

  it("does not remember what was refused", async () => {
    const key = { idempotencyKey: "refused first" };
    await refusalOf(engine.sessions.createSession({ ...key, profile: "nobody's" }));
    expect((await createSession(engine, { ...key, title: "now" })).title).toBe("now");
  });

  it("does not bring a deleted session back", async () => {
    const { id: sessionId } = await createSession(engine, { idempotencyKey: "gone" });
    await engine.sessions.deleteSession({ sessionId });
    const before = await listSessions(engine);
    expect(await refusalOf(createSession(engine, { idempotencyKey: "gone" }))).toMatchObject({
      code: "NOT_FOUND",
      reason: "SESSION_NOT_FOUND",
    });
    expect(await listSessions(engine)).toEqual(before);
  });
});

describe("DeleteSession", () => {
  it("removes a session with all that was in it, once", async () => {
    const { id: sessionId } = await createSession(engine, { profile: "demo" });
    const turn = await runTurn(engine, sessionId, "echo: x");
    await engine.sessions.deleteSession({ sessionId });
    const gone = { code: "NOT_FOUND", reason: "SESSION_NOT_FOUND", metadata: { session_id: sessionId } };
    const calls = {
      delete: () => engine.sessions.deleteSession({ sessionId }),
      get: () => engine.sessions.getSession({ sessionId }),
      update: () => engine.sessions.updateSession({ sessionId, title: "x" }),
      messages: () => engine.sessions.listMessages({ sessionId }),
      turns: () => engine.messages.listTurns({ sessionId }),
      turn: () => engine.messages.getTurn({ sessionId, turnId: turn.id }),
      start: () => engine.messages.startTurn({ sessionId, parts: text("x") }),
      retry: () => engine.messages.retryTurn({ sessionId }),
      cancel: () => engine.messages.cancelTurn({ sessionId }),
      watch: () => replay(engine, sessionId),
    };
    for (const [name, call] of Object.entries(calls))
      expect({ name, ...(await refusalOf(call())) }).toMatchObject({ name, ...gone });
    expect((await listSessions(engine)).map(({ id }) => id)).not.toContain(sessionId);
  });

  it("is done by one of many who call at once", async () => {
    const { id: sessionId } = await createSession(engine);
    const outcomes = await Promise.allSettled(
      Array.from({ length: 10 }, () => engine.sessions.deleteSession({ sessionId })),
    );
    const refused = outcomes.filter((outcome) => outcome.status === "rejected");
    expect(refused).toHaveLength(9);
    expect(refused.map(({ reason }) => toRefusal(reason).reason)).toEqual(refused.map(() => "SESSION_NOT_FOUND"));
  });

  it("forgets the keys of its turns: none of them is found again", async () => {
    const { id: sessionId } = await createSession(engine, { profile: "demo" });
    const request = { sessionId, idempotencyKey: "k", parts: text("echo: x") };
    await engine.messages.startTurn(request);
    await replayUntilIdle(sessionId);
    await engine.sessions.deleteSession({ sessionId });
    expect(await refusalOf(engine.messages.startTurn(request))).toMatchObject({
      code: "NOT_FOUND",
      reason: "SESSION_NOT_FOUND",
    });
  });

  it("stops a turn that runs; who watches it is told, and nothing of it is left open", async () => {
    upstream.script((answer) => answer.text("half"));
    const { id: sessionId } = await createSession(engine, { profile: "openai" });
    const half = Promise.withResolvers<void>();
    const kinds: string[] = [];
    const watching = refusalOf(
      (async () => {
        for await (const { payload } of engine.messages.watchSession({ sessionId })) {
          if (payload.case !== "event") continue;
          kinds.push(payload.value.payload.case ?? "");
          if (payload.value.payload.case === "textDelta") half.resolve();
        }
      })(),
    );
    await engine.messages.startTurn({ sessionId, parts: text("go") });
    await half.promise;
    expect(upstream.open()).toBe(1);
    await engine.sessions.deleteSession({ sessionId });
    expect(await watching).toMatchObject({ code: "NOT_FOUND", reason: "SESSION_DELETED" });
    expect(kinds.filter((kind) => kind === "turnEnded").length).toBeLessThanOrEqual(1);
    while (upstream.open() > 0) await new Promise((resolve) => setImmediate(resolve));
    expect((await engine.engine.getStatus({})).runningTurns).toBe(0);
  });

  it("and StartTurn at once leave either no session or one without a turn that runs for ever", async () => {
    for (let i = 0; i < 20; i++) {
      const { id: sessionId } = await createSession(engine, { profile: "demo" });
      const started = engine.messages.startTurn({ sessionId, parts: text("talk without end") }).then(
        () => "started",
        (error: unknown) => toRefusal(error).reason,
      );
      await engine.sessions.deleteSession({ sessionId });
      expect(["started", "SESSION_NOT_FOUND", "SESSION_DELETED"]).toContain(await started);
      expect(await refusalOf(engine.sessions.getSession({ sessionId }))).toMatchObject({ reason: "SESSION_NOT_FOUND" });
    }
    while ((await engine.engine.getStatus({})).runningTurns > 0) await new Promise((resolve) => setImmediate(resolve));
  });
});

describe("lists", () => {
  it("page through sessions while others are made and removed: none twice, none missed", async () => {
    const mine: string[] = [];
    for (let i = 0; i < 13; i++) mine.push((await createSession(engine, { title: `${i}` })).id);
    const seen: string[] = [];
    let pageToken = "";
    let pages = 0;
    do {
      const page = await engine.sessions.listSessions({ pageSize: 3, pageToken });
      expect(page.sessions.length).toBeLessThanOrEqual(3);
      seen.push(...page.sessions.map(({ id }) => id));
      pageToken = page.nextPageToken;
      await createSession(engine, { title: "newer" });
      // The place in the list is kept even where the session that marked it is gone.
      const marker = page.sessions.at(-1);
      if (pages++ === 1 && marker !== undefined) await engine.sessions.deleteSession({ sessionId: marker.id });
    } while (pageToken !== "");
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen.filter((id) => mine.includes(id))).toEqual(mine.toReversed());
  });

  it("give at most 500 sessions, and 50 where nothing is asked", async () => {
    const missing = 501 - (await listSessions(engine)).length;
    await Promise.all(Array.from({ length: Math.max(0, missing) }, () => createSession(engine)));
    expect((await engine.sessions.listSessions({ pageSize: 1_000_000 })).sessions).toHaveLength(500);
    expect((await engine.sessions.listSessions({})).sessions).toHaveLength(50);
    expect((await engine.sessions.listSessions({ pageSize: 500 })).nextPageToken).not.toBe("");
  });

  it("page through messages and turns while a turn adds to them", async () => {
    const { id: sessionId } = await createSession(engine, { profile: "demo" });
    for (let i = 0; i < 5; i++) await runTurn(engine, sessionId, `echo: ${i}`);
    const messages = await listMessages(engine, sessionId);
    const turns = await listTurns(engine, sessionId);
    expect(messages.map(textOf)).toEqual([0, 1, 2, 3, 4].flatMap((i) => [`echo: ${i}`, `${i}`]));
    expect(turns.map(({ firstSeq }) => firstSeq)).toEqual(
      turns.map(({ firstSeq }) => firstSeq).toSorted((a, b) => Number(b - a)),
    );

    const pagedMessages: string[] = [];
    const pagedTurns: string[] = [];
    let [messageToken, turnToken] = ["", ""];
    do {
      const page = await engine.sessions.listMessages({ sessionId, pageSize: 3, pageToken: messageToken });
      pagedMessages.unshift(...page.messages.map(({ id }) => id));
      messageToken = page.nextPageToken;
      const turnPage =
        turnToken === "" && pagedTurns.length > 0
          ? undefined
          : await engine.messages.listTurns({ sessionId, pageSize: 2, pageToken: turnToken });
      pagedTurns.push(...(turnPage?.turns ?? []).map(({ id }) => id));
      turnToken = turnPage?.nextPageToken ?? "";
      await runTurn(engine, sessionId, "echo: more");
    } while (messageToken !== "");
    expect(pagedMessages).toEqual(messages.map(({ id }) => id));
    expect(pagedTurns).toEqual(turns.map(({ id }) => id));
  });

  it("end a page of messages before it gets too large for a gRPC client", async () => {
    const { id: sessionId } = await createSession(engine, { profile: "openai" });
    upstream.script((answer) => (answer.text("ok"), answer.end()));
    for (let i = 0; i < 6; i++) await runTurn(engine, sessionId, `${i}${"é".repeat(500_000)}`);
    const { messages, nextPageToken } = await engine.sessions.listMessages({ sessionId });
    expect(messages.length).toBeLessThan(12);
    expect(nextPageToken).not.toBe("");
    expect((await listMessages(engine, sessionId)).map((message) => textOf(message)[0])).toEqual([
      "0",
      "o",
      "1",
      "o",
      "2",
      "o",
      "3",
      "o",
      "4",
      "o",
      "5",
      "o",
    ]);
  });
});

describe("text of all kinds", () => {
  const strange = {
    "right to left": "\u202eabc\u202c שלום مرحبا",
    emoji: "👩‍👩‍👧‍👦🏳️‍🌈é",
    NUL: "a\u0000b",
    "line ends and controls": "a\r\nb\u2028c\u001b[31m\u0007",
    "quotes and SQL": `'"; DROP TABLE sessions; --`,
    "a byte order mark": "\ufeffx",
    "the last code point": "\u{10ffff}\uffff",
  };

  it.each(Object.entries(strange))("is kept exactly: %s", async (_name, value) => {
    const labels = { [value]: value };
    const session = await createSession(engine, {
      title: value,
      systemPrompt: value,
      labels,
      profile: "demo",
      model: value,
    });
    expect(session).toMatchObject({ title: value, systemPrompt: value, labels, model: value });
    await runTurn(engine, session.id, `echo: ${value}`);
    const [asked, said] = await listMessages(engine, session.id);
    expect([textOf(asked), textOf(said)]).toEqual([`echo: ${value}`, value]);
    expect((await listSessions(engine)).find(({ id }) => id === session.id)).toMatchObject({ title: value, labels });
  });

  it("counts characters, not bytes", async () => {
    const title = "😀".repeat(500);
    expect((await createSession(engine, { title })).title).toBe(title);
  });

  it.each(["__proto__", "constructor", "toString", "hasOwnProperty"])(
    "takes %s for a label like any other",
    async (name) => {
      const labels = Object.fromEntries([[name, "x"]]);
      const { json } = await engine.post(
        "parley.v1.SessionService/CreateSession",
        JSON.stringify({ labels }).replace("{}", `{"${name}":"x"}`),
      );
      const session = json["session"] as { id: string; labels?: object };
      expect(Object.entries(session.labels ?? {})).toEqual([[name, "x"]]);
      expect(Object.entries((await engine.sessions.getSession({ sessionId: session.id })).session!.labels)).toEqual([
        [name, "x"],
      ]);
    },
  );

  it.each(["title", "systemPrompt", "model", "labels"])("refuses half a surrogate pair in JSON: %s", async (field) => {
    const half = String.raw`"a\ud83db"`;
    const before = await listSessions(engine);
    const value = field === "labels" ? `{"l":${half}}` : half;
    const { status, text: said } = await engine.post("parley.v1.SessionService/CreateSession", `{"${field}":${value}}`);
    expect(status).toBe(400);
    expect(said).toContain("MALFORMED_REQUEST");
    expect(await listSessions(engine)).toEqual(before);
  });

  it.each([
    ["a field", { titel: "x" }, "titel"],
    ["a field of a field", { limits: { maxSeconds: 1 } }, "maxSeconds"],
    ["a value of an enum", { approvalMode: "plan" }, "ApprovalMode"],
  ])("refuses %s that it does not know in JSON, by its name, and does nothing", async (_what, request, name) => {
    const before = await listSessions(engine);
    const { status, text: said } = await engine.post("parley.v1.SessionService/CreateSession", JSON.stringify(request));
    expect(status).toBe(400);
    expect(said).toContain("MALFORMED_REQUEST");
    expect(said).toContain(name);
    expect(await listSessions(engine)).toEqual(before);
  });

  it("shows bytes that are no UTF-8 the same way wherever they are read", async () => {
    const half = "a\ud83db";
    const shown = "a\ufffdb";
    const { id: sessionId } = await createSession(engine, {
      title: half,
      systemPrompt: half,
      labels: { l: half },
      profile: "demo",
    });
    await runTurn(engine, sessionId, `echo: ${half}`);
    expect((await engine.sessions.getSession({ sessionId })).session).toMatchObject({
      title: shown,
      systemPrompt: shown,
      labels: { l: shown },
    });
    expect((await listMessages(engine, sessionId)).map(textOf)).toEqual([`echo: ${shown}`, shown]);
    for (const method of ["GetSession", "ListMessages"]) {
      const { text: said } = await engine.post(`parley.v1.SessionService/${method}`, JSON.stringify({ sessionId }));
      expect(said).toContain(shown);
    }
  });
});

it("has one meaning for a refused and for an accepted call: a refused one leaves nothing", async () => {
  const { id: sessionId } = await createSession(engine, { profile: "demo" });
  const before = await stateOf(engine, sessionId);
  const tooLarge = text("é".repeat(525_000));
  for (const call of [
    engine.messages.startTurn({ sessionId, parts: tooLarge }),
    engine.messages.startTurn({ sessionId, parts: tooLarge, idempotencyKey: "k" }),
    replaySend(sessionId, tooLarge),
  ]) {
    expect(await refusalOf(call)).toMatchObject({
      code: "INVALID_ARGUMENT",
      reason: "MESSAGE_TOO_LARGE",
      metadata: { bytes: "1050000", max_bytes: "1048576" },
    });
  }
  expect(await stateOf(engine, sessionId)).toEqual(before);
  // Exactly as much as is allowed, over many parts.
  const parts = Array.from({ length: 64 }, () => text("x".repeat(16 * 1024))[0]!);
  const { turn } = await engine.messages.startTurn({ sessionId, parts, idempotencyKey: "k" });
  expect(turn?.sessionId).toBe(sessionId);
  await replayUntilIdle(sessionId);
});

async function replaySend(sessionId: string, parts: ReturnType<typeof text>): Promise<void> {
  for await (const _response of engine.messages.sendMessage({ sessionId, parts })) return;
}
