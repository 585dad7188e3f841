import { afterEach, expect, it } from "vitest";
import { createSession, endOf, kindsOf, noReaders, readUntil, replay, runTurn, text, watchUntil } from "./observe.ts";
import { startUpstream, type ChatRequest, type Script, says, type Upstream } from "./scripted-upstream.ts";
import { startTestEngine, type TestEngine, type TestEngineOptions } from "./test-engine.ts";

const engines: TestEngine[] = [];
const upstreams: Upstream[] = [];

afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.dispose();
  for (const upstream of upstreams.splice(0)) await upstream.close();
});

async function start(options: TestEngineOptions = {}): Promise<TestEngine> {
  const engine = await startTestEngine({ titles: "on", ...options });
  engines.push(engine);
  return engine;
}

const isForTitle = ({ messages }: ChatRequest): boolean => (messages[0]?.content ?? "").startsWith("You name");

/** An engine whose model gives one kind of answer to turns, and another when it is asked for a title. */
async function startWith(turn: Script, title: Script) {
  const asked: ChatRequest[] = [];
  const upstream = await startUpstream((answer, request, number) => {
    if (!isForTitle(request)) return turn(answer, request, number);
    asked.push(request);
    return title(answer, request, number);
  });
  upstreams.push(upstream);
  return { engine: await start({ openai: upstream.url }), asked };
}

/** Waits until the session is called so; a watcher sees it. */
async function untilTitled(engine: TestEngine, sessionId: string): Promise<string> {
  let title = "";
  await watchUntil(engine, sessionId, ({ payload }) => {
    if (payload.case === "sessionChanged") title = payload.value.session?.title ?? "";
    return title !== "";
  });
  return title;
}

it("a session is named while its first answer streams, and watchers see it", async () => {
  const finish = Promise.withResolvers<void>();
  const { engine, asked } = await startWith(
    async (answer) => {
      answer.text("Well");
      await finish.promise;
      says(answer, ", so.");
    },
    (answer) => says(answer, '"Clocks ', 'of the world"'),
  );
  const { id: sessionId } = await createSession(engine);
  const { turn } = await engine.messages.startTurn({ sessionId, parts: text("tell me about clocks") });
  expect(await untilTitled(engine, sessionId)).toBe("Clocks of the world");
  const during = (await engine.sessions.getSession({ sessionId })).session;
  expect(during).toMatchObject({ title: "Clocks of the world", runningTurnId: turn!.id });
  finish.resolve();
  await endOf(engine, turn);

  const events = await replay(engine, sessionId);
  const [used] = events.filter(({ payload }) => payload.case === "usageReported");
  expect(used).toMatchObject({
    actor: "",
    turnId: "",
    payload: { value: { messageId: "", usage: { modelCalls: 1n } } },
  });
  const { session } = await engine.sessions.getSession({ sessionId });
  const { turn: ended } = await engine.messages.getTurn({ sessionId, turnId: turn!.id });
  // The title is the session's expense, not the turn's.
  expect([session?.usage?.modelCalls, ended?.usage?.modelCalls]).toEqual([2n, 1n]);
  await runTurn(engine, sessionId, "more");
  expect(asked).toHaveLength(1);
});

it("a provider that fails or hangs at the title fails no turn and delays none", async () => {
  const { engine, asked } = await startWith(
    (answer) => says(answer, "Fine."),
    (answer, { messages }) => {
      if (messages[1]?.content === "fail") answer.fail(500);
    },
  );
  const { id: failing } = await createSession(engine);
  expect((await runTurn(engine, failing, "fail")).endReason).toBe(1);
  expect(await untilTitled(engine, failing)).toBe("fail");
  const { id: hanging } = await createSession(engine);
  expect((await runTurn(engine, hanging, "hang")).endReason).toBe(1);
  expect((await engine.sessions.getSession({ sessionId: hanging })).session?.title).toBe("");
  expect(asked).toHaveLength(2);
  // A stop does not wait for it, and leaves the first words.
  const again = await engine.restart();
  engines.push(again);
  expect((await again.sessions.getSession({ sessionId: hanging })).session?.title).toBe("hang");
});

it("a session that is deleted closes the provider's connection for its title", async () => {
  const gone = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const { engine } = await startWith(
    (answer) => says(answer, "Fine."),
    (answer) => {
      begun.resolve();
      return answer.gone.then(gone.resolve);
    },
  );
  const { id: sessionId } = await createSession(engine);
  await runTurn(engine, sessionId, "hello");
  await begun.promise;
  await engine.sessions.deleteSession({ sessionId });
  await expect(gone.promise).resolves.toBeUndefined();
});

it("a title set by hand is never overwritten, one that is removed is made anew", async () => {
  const { engine, asked } = await startWith(
    (answer) => says(answer, "Fine."),
    (answer) => says(answer, "Made"),
  );
  const { id: sessionId } = await createSession(engine, { title: "By hand" });
  await runTurn(engine, sessionId, "hello");
  expect(asked).toEqual([]);
  expect((await engine.sessions.getSession({ sessionId })).session?.title).toBe("By hand");
  await engine.sessions.updateSession({ sessionId, title: "" });
  const before = (await replay(engine, sessionId)).at(-1)!.seq;
  await runTurn(engine, sessionId, "hello again");
  await watchUntil(engine, sessionId, ({ payload }) => payload.case === "sessionChanged", before);
  expect((await engine.sessions.getSession({ sessionId })).session?.title).toBe("Made");
  expect(asked[0]?.messages.at(-1)?.content).toBe("hello");
});

it("a turn that begins with a call of a tool is named, too", async () => {
  const { engine } = await startWith(
    (answer, { messages }) => {
      if (messages.at(-1)?.role === "tool") return says(answer, "Late.");
      answer.call("a", "now", "{}");
      answer.end("tool_calls");
    },
    (answer) => says(answer, "The time"),
  );
  const { id: sessionId } = await createSession(engine);
  await runTurn(engine, sessionId, "what time is it?");
  expect(await untilTitled(engine, sessionId)).toBe("The time");
});

it("a turn that never says anything leaves the session without a title; its retry names it", async () => {
  let isUp = false;
  const { engine, asked } = await startWith(
    (answer) => (isUp ? says(answer, "Fine.") : answer.fail(401)),
    (answer) => says(answer, "Made"),
  );
  const { id: sessionId } = await createSession(engine);
  await runTurn(engine, sessionId, "hello");
  expect(asked).toEqual([]);
  isUp = true;
  await endOf(engine, (await engine.messages.retryTurn({ sessionId })).turn);
  expect(await untilTitled(engine, sessionId)).toBe("Made");
});

it("with titles off there is no call for one, and the session is named by its first words", async () => {
  const engine = await start({ titles: "off" });
  const { id: sessionId } = await createSession(engine);
  await runTurn(engine, sessionId, "echo: one\ntwo, as fast as you can");
  expect(await untilTitled(engine, sessionId)).toBe("echo: one two, as fast as you can");
  expect((await engine.sessions.getSession({ sessionId })).session?.usage?.modelCalls).toBe(1n);
  expect(kindsOf(await replay(engine, sessionId)).filter((kind) => kind === "usageReported")).toHaveLength(1);
});

it("the demo model names its sessions, whatever the order for the answer is", async () => {
  const engine = await start();
  const { id: sessionId } = await createSession(engine);
  await engine.messages.startTurn({ sessionId, parts: text("write 5 words, then stall after 3 words") });
  expect(await untilTitled(engine, sessionId)).toBe("Write 5 words, then stall after");
  await engine.messages.cancelTurn({ sessionId });
  await readUntil(
    (signal) => engine.messages.watchSession({ sessionId }, { signal }),
    () => true,
  );
  await noReaders(engine);
});
