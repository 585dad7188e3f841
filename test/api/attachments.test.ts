import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type Part, Role } from "../../src/client/client.ts";
import { openSqlite } from "../../src/store/sqlite.ts";
import { exported, importFile, upload } from "./files.ts";
import { createSession, endOf, listMessages, readUntil, refusalOf, stateOf, text } from "./observe.ts";
import { says, startUpstream, type Upstream } from "./scripted-upstream.ts";
import { startTestEngine, type TestEngine } from "./test-engine.ts";

const PNG = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);
const hashOf = (bytes: Uint8Array | string): string => createHash("sha256").update(bytes).digest("hex");

const image = (value: { data?: Uint8Array; sha256?: string }) => ({ content: { case: "image" as const, value } });
const file = (name: string, value: { data?: Uint8Array; sha256?: string; mediaType?: string }) => ({
  content: { case: "file" as const, value: { name, ...value } },
});
const sent = (part: Part | undefined) => part?.content.value as { sha256: string; sizeBytes: bigint };

let upstream: Upstream;
let engine: TestEngine;
beforeEach(async () => {
  upstream = await startUpstream();
  engine = await startTestEngine({ openai: upstream.url });
});
afterEach(async () => {
  await engine.dispose();
  await upstream.close();
});

/** What the provider was sent last, by role. */
function lastSent(): { role: string; content: unknown }[] {
  const { messages } = upstream.requests.at(-1) ?? { messages: [] };
  return messages.map(({ role, content }) => ({ role, content }));
}

async function download(sha256: string): Promise<Buffer> {
  const headers = { authorization: `Bearer ${engine.token}` };
  const response = await fetch(`${engine.url}/blobs/${sha256}`, { headers });
  return Buffer.from(await response.arrayBuffer());
}

it("a picture reaches the provider byte for byte, and is served by its hash", async () => {
  const { id: sessionId } = await createSession(engine);
  const parts = [...text("what is this?"), image({ data: PNG })];
  await endOf(engine, (await engine.messages.startTurn({ sessionId, parts })).turn);
  const url = `data:image/png;base64,${PNG.toString("base64")}`;
  expect(lastSent()).toEqual([
    {
      role: "user",
      content: [
        { type: "text", text: "what is this?" },
        { type: "image_url", image_url: { url } },
      ],
    },
  ]);
  const [message] = await listMessages(engine, sessionId);
  const stored = sent(message?.parts[1]);
  expect(stored).toMatchObject({ sha256: hashOf(PNG), mediaType: "image/png", sizeBytes: BigInt(PNG.length) });
  expect(await download(stored.sha256)).toEqual(PNG);
});

it("files that are text are told with their names, others are named", async () => {
  const { id: sessionId } = await createSession(engine);
  const large = await upload(engine, "x".repeat(256 * 1024 + 1));
  const parts = [
    ...text("look"),
    file("Grüße.md", { data: Buffer.from("# Hallo 🐦"), mediaType: "text/markdown" }),
    file("a.bin", { data: Buffer.from([0, 1, 2]) }),
    file("large.txt", { sha256: large, mediaType: "text/plain" }),
  ];
  await endOf(engine, (await engine.messages.startTurn({ sessionId, parts })).turn);
  expect(lastSent()[0]?.content).toBe(
    `look
[the file Grüße.md, text/markdown, 12 bytes, follows]
# Hallo 🐦
[the end of Grüße.md]

[the file a.bin, application/octet-stream, 3 bytes: not text]

[the file large.txt, text/plain, 262145 bytes: too large to be sent as text]
`,
  );
});

it("every call that says something takes pictures and files", async () => {
  const { id: sessionId } = await createSession(engine);
  const sha256 = await upload(engine, PNG);
  const parts = [image({ sha256 })];
  const { message } = await engine.sessions.appendMessage({ sessionId, role: Role.USER, parts });
  const note = [...text("and this"), file("note", { data: Buffer.from("hi") })];
  const updated = await engine.sessions.updateMessage({
    sessionId,
    messageId: message!.id,
    parts: [...parts, ...note],
  });
  expect(updated.message?.parts.map(({ content }) => content.case)).toEqual(["image", "text", "file"]);
  let goOn: (() => void) | undefined;
  upstream.script((answer) => {
    goOn = () => says(answer, "ok");
  });
  const { turn } = await engine.messages.startTurn({ sessionId, parts });
  const { queuedId } = await engine.messages.steer({ sessionId, parts: [...text("s"), ...parts] });
  const followed = await engine.messages.followUp({ sessionId, parts });
  const { queued } = await engine.messages.listQueue({ sessionId });
  expect(queued.map(({ id }) => id)).toEqual([queuedId, followed.queuedId]);
  expect(queued.map(({ parts: waiting }) => sent(waiting.at(-1)).sha256)).toEqual([sha256, sha256]);
  while (upstream.requests.length === 0) await new Promise((resolve) => setImmediate(resolve));
  upstream.script((answer) => says(answer, "ok"));
  goOn?.();
  await endOf(engine, turn);
});

it.each([
  ["a picture that is none", [image({ data: Buffer.from("<svg/>") })], "INVALID_FIELD", "parts[0].image"],
  ["a picture of no bytes", [image({})], "INVALID_FIELD", "parts[0].image"],
  ["a hash in capitals", [image({ sha256: hashOf(PNG).toUpperCase() })], "INVALID_FIELD", "parts[0].image.sha256"],
  ["an unknown hash", [image({ sha256: hashOf("none") })], "BLOB_NOT_FOUND", "parts[0].image.sha256"],
  ["a name with folders", [file("../a", { data: PNG })], "INVALID_FIELD", "parts[0].file.name"],
  ["a name of two lines", [file("a\nb", { data: PNG })], "INVALID_FIELD", "parts[0].file.name"],
  ["30 pictures", Array.from({ length: 30 }, () => image({ data: PNG })), "INVALID_FIELD", "parts"],
  [
    "2 MiB inline",
    [image({ data: Buffer.concat([PNG, Buffer.alloc(2 ** 21)]) })],
    "INVALID_FIELD",
    "parts[0].image.data",
  ],
])("%s is refused by name, and nothing is touched", async (_what, parts, reason, field) => {
  const { id: sessionId } = await createSession(engine);
  const before = await stateOf(engine, sessionId);
  const calls = [
    () => engine.messages.startTurn({ sessionId, parts }),
    () => engine.messages.followUp({ sessionId, parts }),
    () => engine.sessions.appendMessage({ sessionId, role: Role.USER, parts }),
    async () => readUntil((signal) => engine.messages.sendMessage({ sessionId, parts }, { signal })),
  ];
  for (const call of calls) {
    const refusal = await refusalOf(call());
    expect(refusal.reason).toBe(reason);
    expect(refusal.metadata["field"]).toBe(field);
  }
  expect(await stateOf(engine, sessionId)).toEqual(before);
});

it("5 MiB inline is more than a request holds, and is refused", async () => {
  const { id: sessionId } = await createSession(engine);
  const parts = [image({ data: Buffer.concat([PNG, Buffer.alloc(5 * 2 ** 20)]) })];
  expect(await refusalOf(engine.messages.startTurn({ sessionId, parts }))).toMatchObject({
    code: "RESOURCE_EXHAUSTED",
  });
});

it("only a user's message holds them", async () => {
  const { id: sessionId } = await createSession(engine);
  for (const role of [Role.SYSTEM, Role.ASSISTANT]) {
    const refusal = await refusalOf(engine.sessions.appendMessage({ sessionId, role, parts: [image({ data: PNG })] }));
    expect(refusal).toMatchObject({ reason: "INVALID_FIELD", metadata: { field: "parts[0]" } });
  }
});

it("the same key with the same picture is the same turn, with another it is refused", async () => {
  const { id: sessionId } = await createSession(engine);
  const request = { sessionId, idempotencyKey: "k", parts: [image({ data: PNG })] };
  const first = await engine.messages.startTurn(request);
  await endOf(engine, first.turn);
  const byHash = { ...request, parts: [image({ sha256: hashOf(PNG) })] };
  expect((await engine.messages.startTurn(byHash)).turn?.id).toBe(first.turn?.id);
  const other = { ...request, parts: [image({ data: Buffer.concat([PNG, PNG]) })] };
  expect(await refusalOf(engine.messages.startTurn(other))).toMatchObject({ reason: "IDEMPOTENCY_KEY_REUSED" });
});

it("a fork shows them, an export names them, and an import shows them where the blobs are", async () => {
  const { id: sessionId } = await createSession(engine);
  const parts = [image({ data: PNG }), file("notes.txt", { data: Buffer.from("a rare word") })];
  await engine.sessions.appendMessage({ sessionId, role: Role.USER, parts });
  const fork = (await engine.sessions.forkSession({ sessionId })).session!.id;
  await endOf(engine, (await engine.messages.retryTurn({ sessionId: fork })).turn);
  expect(JSON.stringify(lastSent())).toContain(PNG.toString("base64"));
  expect((await engine.sessions.searchMessages({ query: "notes.txt" })).hits.length).toBe(2);

  const lines = await exported(engine, [sessionId]);
  expect(lines).toContain(hashOf(PNG));
  expect(lines).not.toContain(PNG.toString("base64"));
  const elsewhere = await startTestEngine({ openai: upstream.url });
  try {
    const { sessionIds } = await importFile(elsewhere, lines);
    const [imported = ""] = sessionIds;
    await endOf(elsewhere, (await elsewhere.messages.retryTurn({ sessionId: imported })).turn);
    expect(JSON.stringify(lastSent())).toContain("[a picture, image/png, 70 bytes: its bytes are not here]");
    await upload(elsewhere, PNG);
    await endOf(elsewhere, (await elsewhere.messages.startTurn({ sessionId: imported, parts: text("now?") })).turn);
    expect(JSON.stringify(lastSent())).toContain(PNG.toString("base64"));
  } finally {
    await elsewhere.dispose();
  }
});

it("a picture that a tool reads is kept, and shown to the model after its result", async () => {
  const { id: sessionId, workspace } = await createSession(engine);
  await writeFile(join(workspace, "dot.png"), PNG);
  upstream.script((answer, { messages }) => {
    if (messages.some(({ role }) => role === "tool")) return says(answer, "a dot");
    answer.call("a", "read_file", '{"path":"dot.png"}');
    answer.end("tool_calls");
  });
  await endOf(engine, (await engine.messages.startTurn({ sessionId, parts: text("look at dot.png") })).turn);
  expect(lastSent().map(({ role }) => role)).toEqual(["user", "assistant", "tool", "user"]);
  expect(JSON.stringify(lastSent()[3])).toContain(PNG.toString("base64"));
  expect(await download(hashOf(PNG))).toEqual(PNG);
});

it("a session that is deleted lets its pictures go, and others that show them keep them", async () => {
  const made = [await createSession(engine), await createSession(engine)];
  const parts = [image({ data: PNG })];
  for (const { id: sessionId } of made) {
    await engine.sessions.appendMessage({ sessionId, role: Role.USER, parts });
  }
  const references = async (): Promise<number> => {
    await engine.stop();
    const db = openSqlite(join(engine.dataDir, "parley.db"));
    const rows = await db.all({ sql: "SELECT owner FROM blob_references WHERE sha256 = ?", params: [hashOf(PNG)] });
    await db.close();
    engine = await engine.restart();
    return rows.length;
  };
  expect(await references()).toBe(2);
  for (const [i, { id: sessionId }] of made.entries()) {
    await engine.sessions.deleteSession({ sessionId });
    // What is left of it goes in the background, at the latest after the next start.
    while ((await references()) > 1 - i);
  }
});

it("what the provider says of pictures it does not take is shown", async () => {
  const { id: sessionId } = await createSession(engine);
  upstream.script((answer) => answer.fail(400));
  const turn = await endOf(
    engine,
    (await engine.messages.startTurn({ sessionId, parts: [image({ data: PNG })] })).turn,
  );
  expect(turn.error).toMatchObject({ reason: "PROVIDER_REFUSED" });
});

it("the demo model says that it was shown a picture", async () => {
  const { id: sessionId } = await createSession(engine, { profile: "demo" });
  const parts = [...text("as fast as you can"), image({ data: PNG })];
  await endOf(engine, (await engine.messages.startTurn({ sessionId, parts })).turn);
  const [, answer] = await listMessages(engine, sessionId);
  expect(JSON.stringify(answer?.parts.map(({ content }) => content.value))).toContain("picture");
});
