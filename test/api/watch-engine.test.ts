import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { WatchEngineRequestSchema, WatchEngineResponse } from "../../gen/ts/parley/v1/engine_service_pb.ts";
import { type Session, SessionState } from "../../src/client/client.ts";
import { createSession, noReaders, refusalOf, runTurn, text } from "./observe.ts";
import { startTestEngine, type TestEngine } from "./test-engine.ts";

const engines: TestEngine[] = [];
afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.dispose();
});

async function start(): Promise<TestEngine> {
  const engine = await startTestEngine();
  engines.push(engine);
  return engine;
}

/** A client that keeps a picture of what it is told. */
function watch(engine: TestEngine, request: MessageInitShape<typeof WatchEngineRequestSchema> = {}) {
  const controller = new AbortController();
  const stream = engine.engine.watchEngine(request, { signal: controller.signal })[Symbol.asyncIterator]();
  const sessions = new Map<string, Session>();
  const read = async (): Promise<WatchEngineResponse["payload"]> => {
    const { value } = (await stream.next()) as IteratorYieldResult<WatchEngineResponse>;
    const { payload } = value;
    if (payload.case === "session") sessions.set(payload.value.id, payload.value);
    if (payload.case === "sessionGone") sessions.delete(payload.value);
    return payload;
  };
  const until = async (isIt: () => boolean): Promise<void> => {
    while (!isIt()) await read();
  };
  return {
    sessions,
    read,
    until,
    begin: async () => {
      for (;;) {
        const payload = await read();
        if (payload.case === "caughtUp") return payload.value.hasMoreSessions;
      }
    },
    leave: () => controller.abort(),
  };
}

it("shows what GetSession shows, before, during and after a turn, and says what is gone", async () => {
  const engine = await start();
  const { id: sessionId } = await createSession(engine, { title: "mine", labels: { a: "1" } });
  const watcher = watch(engine);
  expect(await watcher.begin()).toBe(false);
  expect([...watcher.sessions.values()]).toEqual([(await engine.sessions.getSession({ sessionId })).session]);
  const { turn } = await engine.messages.startTurn({ sessionId, parts: text("stall") });
  await watcher.until(() => watcher.sessions.get(sessionId)?.state === SessionState.RUNNING);
  expect(watcher.sessions.get(sessionId)?.runningTurnId).toBe(turn?.id);
  await engine.messages.cancelTurn({ sessionId });
  await watcher.until(() => watcher.sessions.get(sessionId)?.state === SessionState.IDLE);
  expect(watcher.sessions.get(sessionId)).toEqual((await engine.sessions.getSession({ sessionId })).session);
  await engine.sessions.updateSession({ sessionId, starred: true, title: "renamed" });
  await watcher.until(() => watcher.sessions.get(sessionId)?.starred === true);
  expect(watcher.sessions.get(sessionId)).toEqual((await engine.sessions.getSession({ sessionId })).session);
  await engine.sessions.deleteSession({ sessionId });
  expect(await watcher.read()).toEqual({ case: "sessionGone", value: sessionId });
  expect((await engine.engine.getStatus({})).readers).toBe(1);
  watcher.leave();
  await noReaders(engine);
});

it("tells the same to every watcher of sessions whose turns all run at once", async () => {
  const engine = await start();
  const watchers = [{}, {}, { topics: [1] }, { sessions: { states: [SessionState.RUNNING] } }].map((request) =>
    watch(engine, request as MessageInitShape<typeof WatchEngineRequestSchema>),
  );
  for (const watcher of watchers) await watcher.begin();
  await Promise.all(
    Array.from({ length: 20 }, async (_, i) => {
      const { id } = await createSession(engine, { title: `s${i}` });
      await runTurn(engine, id, "write 50 words as fast as you can");
      if (i % 4 === 0) await engine.sessions.deleteSession({ sessionId: id });
      else await engine.sessions.updateSession({ sessionId: id, labels: { values: { done: "yes" } } });
    }),
  );
  const { sessions: listed } = await engine.sessions.listSessions({});
  const expected = new Map(listed.map((session) => [session.id, session]));
  expect(expected.size).toBe(15);
  const last = watchers.pop()!;
  for (const watcher of watchers) {
    const isDone = (): boolean =>
      watcher.sessions.size === 15 && [...watcher.sessions.values()].every(({ labels }) => labels["done"] === "yes");
    await watcher.until(isDone);
    expect(watcher.sessions).toEqual(expected);
    watcher.leave();
  }
  // Those that ran are all told to run no more.
  await last.until(() => last.sessions.size === 0);
  last.leave();
  await noReaders(engine);
});

it("a watcher that does not read gets the last of many changes, not each of them", async () => {
  const engine = await start();
  const { id: sessionId } = await createSession(engine, { systemPrompt: "x".repeat(100_000) });
  const watcher = watch(engine);
  await watcher.begin();
  const changes = 150;
  for (let i = 1; i <= changes; i++) await engine.sessions.updateSession({ sessionId, title: String(i) });
  let told = 0;
  await watcher.until(() => told++ > 0 && watcher.sessions.get(sessionId)?.title === String(changes));
  // What the two ends of the connection had taken up before they stopped is told, too.
  expect(told).toBeLessThan(changes / 2);
  watcher.leave();
  await noReaders(engine);
});

it("begins with as many as asked for, of those that match", async () => {
  const engine = await start();
  for (let i = 0; i < 6; i++) await createSession(engine, { labels: { n: String(i % 2) } });
  for (const [request, count, hasMore] of [
    [{ sessionLimit: 2 }, 2, true],
    [{ sessionLimit: 3, sessions: { labels: { n: "1" } } }, 3, false],
    [{ sessionLimit: 2_000_000_000 }, 6, false],
    [{ sessions: { labels: { n: "1" }, profile: "none" } }, 0, false],
  ] as const) {
    const watcher = watch(engine, request);
    expect([await watcher.begin(), watcher.sessions.size]).toEqual([hasMore, count]);
    watcher.leave();
  }
  await noReaders(engine);
});

it("takes any name of a workspace, and refuses what is no path", async () => {
  const engine = await start();
  const folder = mkdtempSync(join(tmpdir(), "parley-workspace-"));
  const link = `${folder}-link`;
  symlinkSync(folder, link);
  try {
    const { id } = await createSession(engine, { workspace: folder });
    const watcher = watch(engine, { sessions: { workspace: link } });
    await watcher.begin();
    expect([...watcher.sessions.keys()]).toEqual([id]);
    watcher.leave();
    for (const workspace of ["here", "../x", "a\0b"]) {
      expect(await refusalOf(watch(engine, { sessions: { workspace } }).begin())).toMatchObject({
        code: "INVALID_ARGUMENT",
        reason: "INVALID_WORKSPACE",
      });
    }
  } finally {
    rmSync(link);
    rmSync(folder, { recursive: true });
  }
  await noReaders(engine);
});

it("ends when the engine stops", async () => {
  const engine = await start();
  const watcher = watch(engine);
  await watcher.begin();
  const ended = refusalOf(watcher.read());
  await engine.stop();
  expect(await ended).toMatchObject({ code: "UNAVAILABLE", reason: "ENGINE_STOPPING" });
});
