import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SessionState } from "../../src/client/client.ts";
import { exported, importFile, upload } from "./files.ts";
import {
  createSession,
  endOf,
  kindsOf,
  listMessages,
  listSessions,
  noReaders,
  refusalOf,
  replay,
  runTurn,
  text,
  textOf,
} from "./observe.ts";
import { startTestEngine, type TestEngine } from "./test-engine.ts";

let engine: TestEngine;
let other: TestEngine;

beforeAll(async () => {
  engine = await startTestEngine();
  other = await startTestEngine();
});

afterAll(async () => {
  await noReaders(engine);
  await engine.dispose();
  await other.dispose();
});

const fields = { title: 'Ünïcode 🦜 "quoted"\n', systemPrompt: "be\tbrief", labels: { "a b": "é", z: "" } };

async function conversation(): Promise<string> {
  const { id } = await createSession(engine, fields);
  await runTurn(engine, id, "what time is it?");
  await runTurn(engine, id, 'echo: \u0000 quotes " and \\ and \u2028 🦜');
  return id;
}

describe("a fork", () => {
  it("holds the settings and messages of the other, under ids of its own", async () => {
    const id = await conversation();
    const before = await listMessages(engine, id);
    const { session } = await engine.sessions.forkSession({ sessionId: id });
    const other = (await engine.sessions.getSession({ sessionId: id })).session!;
    expect(session).toMatchObject({
      title: fields.title,
      systemPrompt: other.systemPrompt,
      labels: other.labels,
      limits: other.limits,
      forkedFrom: id,
      starred: false,
      lastSeq: BigInt(before.length),
      usage: { inputTokens: 0n, modelCalls: 0n },
    });
    const copied = await listMessages(engine, session!.id);
    expect(copied.map(({ id: _id, sessionId: _sessionId, ...rest }) => rest)).toEqual(
      before.map(({ id: _id, sessionId: _sessionId, ...rest }) => rest),
    );
    expect(new Set([...before, ...copied].map((message) => message.id)).size).toBe(2 * before.length);
    expect(copied.every((message) => message.sessionId === session!.id)).toBe(true);
  });

  it("tells its messages in its log, from 1 without a gap", async () => {
    const id = await conversation();
    const { session } = await engine.sessions.forkSession({ sessionId: id });
    const events = await replay(engine, session!.id);
    expect(new Set(kindsOf(events))).toEqual(new Set(["messageCompleted"]));
    expect(events.map(({ seq }) => Number(seq))).toEqual(events.map((_, i) => i + 1));
    const told = events.map(({ payload }) => (payload.case === "messageCompleted" ? payload.value.message : undefined));
    expect(told).toEqual(await listMessages(engine, session!.id));
  });

  it("before a message ends there, and goes on by itself", async () => {
    const id = await conversation();
    const messages = await listMessages(engine, id);
    const answer = messages.at(-1)!;
    const { session } = await engine.sessions.forkSession({ sessionId: id, beforeMessageId: answer.id, title: "" });
    expect(session!.title).toBe("");
    expect(await listMessages(engine, session!.id)).toHaveLength(messages.length - 1);
    await endOf(engine, (await engine.messages.retryTurn({ sessionId: session!.id })).turn);
    expect(textOf((await listMessages(engine, session!.id)).at(-1))).toBe(textOf(answer));
    await runTurn(engine, session!.id, "echo: more");
    expect(textOf((await listMessages(engine, session!.id)).at(-1))).toContain("more");
  });

  it("never ends with calls that have no results", async () => {
    const id = await conversation();
    const messages = await listMessages(engine, id);
    const result = messages.findIndex(({ parts }) => parts[0]?.content.case === "toolResult");
    expect(result).toBeGreaterThan(1);
    const { session } = await engine.sessions.forkSession({ sessionId: id, beforeMessageId: messages[result]!.id });
    expect(await listMessages(engine, session!.id)).toHaveLength(result - 1);
  });

  it("of a session that runs holds what is whole, and leaves the turn alone", async () => {
    const { id } = await createSession(engine);
    await runTurn(engine, id, "echo: before");
    const { turn } = await engine.messages.startTurn({ sessionId: id, parts: text("stall") });
    const { session } = await engine.sessions.forkSession({ sessionId: id });
    expect(session).toMatchObject({ state: SessionState.IDLE, runningTurnId: "" });
    expect((await listMessages(engine, session!.id)).map(textOf)).toEqual((await listMessages(engine, id)).map(textOf));
    const lines = (await exported(engine, [id])).split("\n").filter((line) => line.startsWith('{"message"'));
    expect(lines).toHaveLength((await listMessages(engine, id)).length);
    await engine.messages.cancelTurn({ sessionId: id, turnId: turn!.id });
  });

  it("is made once for one key", async () => {
    const sessionId = await conversation();
    const call = { sessionId, idempotencyKey: "fork", title: "t" };
    const [a, b] = await Promise.all([engine.sessions.forkSession(call), engine.sessions.forkSession(call)]);
    expect(a.session!.id).toBe(b.session!.id);
    const changed = { ...call, title: "u" };
    expect(await refusalOf(engine.sessions.forkSession(changed))).toMatchObject({ reason: "IDEMPOTENCY_KEY_REUSED" });
  });

  it("at a message of another session is refused, and leaves nothing", async () => {
    const id = await conversation();
    const [message] = await listMessages(engine, await conversation());
    const before = await listSessions(engine);
    const call = engine.sessions.forkSession({ sessionId: id, beforeMessageId: message!.id });
    expect(await refusalOf(call)).toMatchObject({ code: "NOT_FOUND", reason: "MESSAGE_NOT_FOUND" });
    expect(await listSessions(engine)).toEqual(before);
  });
});

describe("an export", () => {
  it("imported elsewhere and exported again is the same file, byte for byte", async () => {
    const ids = [await conversation(), await conversation(), (await createSession(engine, { title: "empty" })).id];
    await engine.sessions.updateSession({ sessionId: ids[1]!, starred: true });
    const fork = (await engine.sessions.forkSession({ sessionId: ids[0]! })).session!.id;
    const file = await exported(engine, [...ids, fork]);
    const answer = await importFile(other, file);
    expect(answer).toMatchObject({ sessionCount: 4n, renamed: [], sessionIds: [...ids, fork] });
    expect(await exported(other, [...ids, fork])).toBe(file);
    expect(answer.messageCount).toBe(BigInt(file.split("\n").filter((line) => line.startsWith('{"message"')).length));
    for (const id of ids) expect(await listMessages(other, id)).toEqual(await listMessages(engine, id));
    const again = await importFile(other, file);
    expect(again.renamed.map(({ from }) => from)).toEqual([...ids, fork]);
    expect(again.sessionIds).toEqual(again.renamed.map(({ to }) => to));
    expect((await listMessages(other, again.sessionIds[0]!)).map(textOf)).toEqual(
      (await listMessages(engine, ids[0]!)).map(textOf),
    );
  });

  it("of all sessions holds each once, the oldest first", async () => {
    const lines = (await exported(engine))
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const sessions = lines.flatMap(
      ({ session }) => (session as { id: string; createTimeMs: number } | undefined) ?? [],
    );
    const listed = (await listSessions(engine)).toReversed();
    expect(sessions.map(({ id }) => id)).toEqual(listed.map(({ id }) => id));
    expect(lines[0]).toEqual({ format: "parley.sessions", version: 1 });
    expect(lines.at(-1)).toEqual({
      end: { sessions: sessions.length, messages: lines.filter((line) => "message" in line).length },
    });
  });

  it("of a session that is not there is refused before its first piece", async () => {
    expect(await refusalOf(exported(engine, [await conversation(), "ses_none"]))).toMatchObject({
      code: "NOT_FOUND",
      reason: "SESSION_NOT_FOUND",
    });
  });
});

describe("an import", () => {
  it("takes a file that is cut anywhere", async () => {
    const bytes = Buffer.from(await exported(engine, [await conversation()]));
    const blobs = await Promise.all([...cut(bytes, 97)].map((piece) => upload(other, piece)));
    expect(await other.sessions.importSessions({ blobs })).toMatchObject({ sessionCount: 1n });
  });

  it("is done once for one key, and told again", async () => {
    const file = await exported(engine, [await conversation()]);
    const [a, b] = await Promise.all([importFile(other, file, "import"), importFile(other, file, "import")]);
    expect(a).toEqual(b);
    expect(await importFile(other, file, "import")).toEqual(a);
    expect(await refusalOf(importFile(other, `${file}\n`, "import"))).toMatchObject({
      reason: "IDEMPOTENCY_KEY_REUSED",
    });
  });

  it("of a blob that is not there is refused", async () => {
    const call = other.sessions.importSessions({ blobs: ["0".repeat(64)] });
    expect(await refusalOf(call)).toMatchObject({ code: "NOT_FOUND", reason: "BLOB_NOT_FOUND" });
  });

  it("is there after a restart, and can be talked to", async () => {
    const id = await conversation();
    const third = await startTestEngine();
    await importFile(third, await exported(engine, [id]));
    const again = await third.restart();
    expect(await listMessages(again, id)).toEqual(await listMessages(engine, id));
    await runTurn(again, id, "echo: still here");
    expect(textOf((await listMessages(again, id)).at(-1))).toContain("still here");
    await again.dispose();
  });
});

function* cut(bytes: Buffer, size: number): Generator<Uint8Array<ArrayBuffer>> {
  for (let start = 0; start < bytes.length; start += size) yield new Uint8Array(bytes.subarray(start, start + size));
}

describe("several sessions", () => {
  it("are deleted together; what cannot be is told, with why", async () => {
    const ids = [await conversation(), (await createSession(engine)).id];
    const running = (await createSession(engine)).id;
    await engine.messages.startTurn({ sessionId: running, parts: text("say much, slowly") });
    const answer = await engine.sessions.batchDeleteSessions({ sessionIds: [ids[0]!, "ses_none", ids[1]!, running] });
    expect(answer.deletedIds).toEqual([...ids, running]);
    expect(answer.failures).toMatchObject([{ sessionId: "ses_none", reason: "SESSION_NOT_FOUND" }]);
    expect(answer.failures[0]!.message).toContain("ses_none");
    const left = (await listSessions(engine)).map(({ id }) => id);
    expect(left.filter((id) => [...ids, running].includes(id))).toEqual([]);
  });
});
