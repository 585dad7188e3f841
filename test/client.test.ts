import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { afterAll, expect, test } from "vitest";
import { embed } from "../examples/embed/embed.ts";
import {
  applyEvent,
  type Client,
  type ClientOptions,
  createClient,
  createTranscript,
  EventSchema,
  followSession,
  GetSnapshotResponseSchema,
  MessageSchema,
  MessageStatus,
  reasonOf,
  Role,
  TurnEndReason,
} from "../src/client/client.ts";
import { readConfig } from "../src/config.ts";
import { type Engine, startEngine } from "../src/engine.ts";
import { makeTempDir } from "./helpers/engine-process.ts";

const engines = new Set<Engine>();
const clients = new Set<Client>();
afterAll(async () => {
  for (const client of clients) client.close();
  for (const engine of engines) await engine.close();
});

async function start(dataDir: string, port = "0"): Promise<Engine> {
  const engine = await startEngine(readConfig({}, { dataDir, port, logLevel: "silent" }));
  engines.add(engine);
  return engine;
}

async function stop(engine: Engine): Promise<void> {
  engines.delete(engine);
  await engine.close();
}

function connect(options: ClientOptions): Client {
  const client = createClient({ env: {}, ...options });
  clients.add(client);
  return client;
}

const event = (payload: Parameters<typeof create<typeof EventSchema>>[1]) => create(EventSchema, payload);
const say = (value: string) => [{ content: { case: "text" as const, value } }];

test("a client finds the engine of a data directory by itself", async () => {
  const dataDir = makeTempDir();
  const engine = await start(dataDir);
  for (const options of [{ dataDir }, { env: { PARLEY_DATA_DIR: dataDir } }]) {
    const client = connect(options);
    expect(client.url).toBe(engine.url);
    expect((await client.engine.getInfo({})).tools).toContain("now");
  }
});

test("what is given comes before the environment, and that before the data directory", async () => {
  const [here, there] = [makeTempDir(), makeTempDir()];
  const [first, second] = [await start(here), await start(there)];
  const env = { PARLEY_URL: second.url, PARLEY_TOKEN: second.token, PARLEY_DATA_DIR: here };
  expect(connect({ env }).url).toBe(second.url);
  expect((await connect({ env }).engine.getInfo({})).version).not.toBe("");
  expect(connect({ env, url: first.url, token: first.token }).url).toBe(first.url);
  // A folder that is named means the engine in it, whose own token always opens it.
  const named = connect({ env, dataDir: here });
  expect(named.url).toBe(first.url);
  await named.engine.getInfo({});
});

test("where no engine runs, the error says which command starts one", () => {
  const dataDir = makeTempDir();
  const failing = (options: ClientOptions): unknown => {
    try {
      return connect({ dataDir, ...options });
    } catch (error) {
      return error;
    }
  };
  expect(failing({})).toMatchObject({
    reason: "ENGINE_NOT_RUNNING",
    message: `no engine is running on ${dataDir}; start one with \`parley serve --data-dir ${dataDir}\`, or name another with PARLEY_URL`,
  });
  // No process has this number: it is above the most that Linux gives.
  writeFileSync(
    join(dataDir, "engine.json"),
    JSON.stringify({ url: "http://127.0.0.1:1", pid: 2 ** 22 + 1, version: "1" }),
  );
  expect(failing({})).toMatchObject({
    reason: "ENGINE_NOT_RUNNING",
    message: expect.stringContaining("is gone") as unknown,
  });
  writeFileSync(join(dataDir, "engine.json"), '{"url":');
  expect(failing({})).toMatchObject({ reason: "ENGINE_NOT_RUNNING" });
  writeFileSync(
    join(dataDir, "engine.json"),
    JSON.stringify({ url: "http://127.0.0.1:1", pid: process.pid, version: "1" }),
  );
  expect(failing({})).toMatchObject({ reason: "TOKEN_NOT_FOUND" });
  expect(failing({ url: "127.0.0.1:7433" })).toMatchObject({ reason: "INVALID_CONFIG" });
});

test("the token of the data directory is never sent to another machine", () => {
  const dataDir = makeTempDir();
  writeFileSync(join(dataDir, "token"), "kept-secret-token\n");
  const env = { PARLEY_DATA_DIR: dataDir };
  expect(() => connect({ url: "http://engine.example:7433", env })).toThrow(
    "no token for http://engine.example:7433; set PARLEY_TOKEN",
  );
  expect(() => connect({ url: "http://localhost.example:7433", env })).toThrow("no token");
  expect(connect({ url: "http://localhost:7433", env }).url).toBe("http://localhost:7433");
  expect(connect({ url: "http://engine.example:7433", token: "its-own-token-12345" }).url).toBe(
    "http://engine.example:7433",
  );
});

test("refusals carry their reason; what is no refusal has none", async () => {
  const dataDir = makeTempDir();
  await start(dataDir);
  const client = connect({ dataDir });
  const refused = await client.sessions.getSession({ sessionId: "ses_none" }).catch((error: unknown) => error);
  expect(reasonOf(refused)).toEqual({ reason: "SESSION_NOT_FOUND", metadata: { session_id: "ses_none" } });
  expect(reasonOf(new ConnectError("cut", Code.Aborted))).toBeUndefined();
  expect(reasonOf(new Error("other"))).toBeUndefined();
});

test("a follower goes on when the engine is started anew on another port, with the exact text", async () => {
  const dataDir = makeTempDir();
  const first = await start(dataDir);
  const client = connect({ dataDir });
  const sessionId = (await client.sessions.createSession({})).session?.id ?? "";
  const controller = new AbortController();
  const transcript = createTranscript();
  const seqs: bigint[] = [];
  let restart: Promise<unknown> | undefined;
  const ends: TurnEndReason[] = [];
  await client.messages.startTurn({ sessionId, parts: say("talk without end") });
  for await (const item of followSession(client, { sessionId, signal: controller.signal, random: () => 0 })) {
    if (item.kind !== "event") continue;
    seqs.push(item.event.seq);
    applyEvent(transcript, item.event);
    if (item.event.payload.case === "textDelta" && seqs.length > 20) restart ??= stop(first).then(() => start(dataDir));
    if (item.event.payload.case !== "turnEnded") continue;
    if (ends.push(item.event.payload.value.reason) === 1) {
      await restart;
      // The first call after a restart may find the old place empty; it then knows the new one.
      const again = () => client.messages.startTurn({ sessionId, parts: say("echo: the end") });
      await again().catch(again);
    } else controller.abort();
  }
  expect(ends).toEqual([TurnEndReason.INTERRUPTED, TurnEndReason.COMPLETED]);
  expect(client.url).not.toBe(first.url);
  expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => Number(a - b)));
  const { messages } = await client.sessions.listMessages({ sessionId });
  const stored = messages.map(({ id, parts }) => [
    id,
    parts.map(({ content }) => (content.case === "text" ? content.value : "")).join(""),
  ]);
  expect([...transcript.messages.values()].map(({ id, text }) => [id, text])).toEqual(stored);
  expect(stored.at(-1)?.[1]).toBe("the end");
});

test("a transcript grows by deltas and takes the whole message in their place", () => {
  const transcript = createTranscript();
  const text = (value: string) => event({ payload: { case: "textDelta", value: { messageId: "msg_1", text: value } } });
  // Who comes in the middle of a message has not seen it begin.
  expect(applyEvent(transcript, text("Hel"))).toMatchObject({
    text: "Hel",
    role: Role.ASSISTANT,
    status: MessageStatus.UNSPECIFIED,
  });
  applyEvent(transcript, event({ payload: { case: "reasoningDelta", value: { messageId: "msg_1", text: "hm" } } }));
  expect(applyEvent(transcript, text("lo"))).toMatchObject({ text: "Hello", reasoning: "hm" });
  const parts = say("Hello, you");
  const message = { id: "msg_1", role: Role.ASSISTANT, status: MessageStatus.COMPLETE, parts };
  applyEvent(transcript, event({ payload: { case: "messageCompleted", value: { message } } }));
  expect(transcript.messages.get("msg_1")).toMatchObject({
    text: "Hello, you",
    reasoning: "",
    status: MessageStatus.COMPLETE,
  });
  // A delta that comes late changes nothing any more.
  expect(applyEvent(transcript, text("!"))).toBeUndefined();
  expect(applyEvent(transcript, event({ payload: { case: "stepStarted", value: {} } }))).toBeUndefined();
  const result = { callId: "call_1", text: "12:00" };
  applyEvent(
    transcript,
    event({ payload: { case: "toolCallEnded", value: { messageId: "msg_2", callId: "call_1", result } } }),
  );
  expect([...transcript.messages.values()].map(({ role, text }) => [role, text])).toEqual([
    [Role.ASSISTANT, "Hello, you"],
    [Role.TOOL, "12:00"],
  ]);
});

test("a transcript of a snapshot goes on in the middle of its partial message", () => {
  const message = create(MessageSchema, {
    id: "msg_1",
    role: Role.USER,
    status: MessageStatus.COMPLETE,
    parts: say("hi"),
  });
  const partial = { messageId: "msg_2", turnId: "turn_1", role: Role.ASSISTANT, text: "Hel", reasoning: "hm" };
  const transcript = createTranscript(
    create(GetSnapshotResponseSchema, { messages: [message], partialMessage: partial }),
  );
  expect(transcript.messages.get("msg_1")).toMatchObject({ text: "hi", status: MessageStatus.COMPLETE, message });
  const delta = { messageId: "msg_2", text: "lo" };
  expect(applyEvent(transcript, event({ payload: { case: "textDelta", value: delta } }))).toMatchObject({
    text: "Hello",
    reasoning: "hm",
    role: Role.ASSISTANT,
    status: MessageStatus.UNSPECIFIED,
  });
  expect(createTranscript(create(GetSnapshotResponseSchema)).messages.size).toBe(0);
});

test("the example that embeds an engine runs", async () => {
  const dataDir = makeTempDir();
  mkdirSync(dataDir, { recursive: true });
  expect(await embed(dataDir, "echo: embedded")).toBe("embedded");
  // It has given everything back: the folder can be used again.
  expect(await embed(dataDir, "echo: once more")).toBe("once more");
  expect(await embed(dataDir, "what time is it?")).toMatch(/Let me look at the clock\.\n\nIt is \d{4}-/);
  rmSync(dataDir, { recursive: true });
});
