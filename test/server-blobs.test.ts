import { createHash } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClient } from "../src/client/client.ts";
import { refusalOf } from "./api/observe.ts";
import { startTestEngine, type TestEngine } from "./api/test-engine.ts";
import { createFakeClock } from "./helpers/fake-clock.ts";
import { fetchHttp1, fetchHttp2, openRaw, type Fetch } from "./helpers/raw-http.ts";

const MIB = 1024 * 1024;
const DAY_MS = 24 * 60 * 60_000;

let engine: TestEngine;

beforeAll(async () => {
  engine = await startTestEngine();
});

afterAll(async () => {
  await engine.dispose();
});

const hashOf = (bytes: string | Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const auth = () => ({ authorization: `Bearer ${engine.token}` });
const folder = (): string => join(engine.dataDir, "blobs");

describe.each([
  ["HTTP/1.1", fetchHttp1],
  ["HTTP/2", fetchHttp2],
] as const)("over %s", (protocol, send: Fetch) => {
  const post = (body: string | Uint8Array, headers = {}) =>
    send(engine.url, { path: "/blobs", headers: { ...auth(), ...headers }, body });
  const get = (sha256: string, headers = {}, method = "GET") =>
    send(engine.url, { method, path: `/blobs/${sha256}`, headers: { ...auth(), ...headers } });

  it("bytes are named by their hash and come back as they were", async () => {
    const body = `hello, ${protocol} 🦜`;
    const answer = await post(body, { "content-type": "text/plain; charset=utf-8" });
    expect(answer.status).toBe(201);
    const sha256 = hashOf(body);
    expect(JSON.parse(answer.body)).toEqual({ sha256, sizeBytes: Buffer.byteLength(body) });
    expect(answer.headers["location"]).toBe(`/blobs/${sha256}`);
    const found = await get(sha256);
    expect(found).toMatchObject({ status: 200, body });
    expect(found.headers).toMatchObject({ "content-type": "text/plain; charset=utf-8", etag: `"${sha256}"` });
    expect((await stat(join(folder(), sha256))).mode & 0o777).toBe(0o600);
    expect((await stat(folder())).mode & 0o777).toBe(0o700);
  });

  it("64 MiB are taken, a byte more is not, whether it is announced or not", async () => {
    const full = Buffer.alloc(64 * MIB, protocol);
    const answer = await post(full);
    expect(answer).toMatchObject({ status: 201 });
    expect(hashOf(await readFile(join(folder(), hashOf(full))))).toBe(hashOf(full));
    const more = Buffer.concat([full, Buffer.from("x")]);
    for (const headers of [{ "content-length": String(more.length) }, {}]) {
      const refused = await post(more, headers);
      expect(refused.status).toBe(413);
      expect(JSON.parse(refused.body)).toMatchObject({ code: "invalid_argument", reason: "BLOB_TOO_LARGE" });
    }
    expect(await unfinished()).toEqual([]);
  });

  it("a part of them can be asked for", async () => {
    const sha256 = hashOf("0123456789");
    await post("0123456789");
    const part = async (range: string, more = {}) => {
      const { status, body, headers } = await get(sha256, { range, ...more });
      return [status, status === 416 ? "" : body, headers["content-range"]];
    };
    expect(await part("bytes=2-4")).toEqual([206, "234", "bytes 2-4/10"]);
    expect(await part("bytes=7-")).toEqual([206, "789", "bytes 7-9/10"]);
    expect(await part("bytes=-3")).toEqual([206, "789", "bytes 7-9/10"]);
    expect(await part("bytes=0-999")).toEqual([206, "0123456789", "bytes 0-9/10"]);
    expect(await part("bytes=10-")).toEqual([416, "", "bytes */10"]);
    expect(await part("bytes=-0")).toEqual([416, "", "bytes */10"]);
    for (const ignored of [
      "bytes=4-2",
      "bytes=-",
      "bytes=0-1,3-4",
      "lines=1-2",
      "bytes=a-b",
      `bytes=${"9".repeat(99)}-`,
    ])
      expect(await part(ignored)).toEqual([200, "0123456789", undefined]);
    expect(await part("bytes=2-4", { "if-range": `"${sha256}"` })).toEqual([206, "234", "bytes 2-4/10"]);
    expect(await part("bytes=2-4", { "if-range": '"another"' })).toEqual([200, "0123456789", undefined]);
    expect((await get(sha256, { "if-none-match": `"a", "${sha256}"` })).status).toBe(304);
    expect(await get(sha256, {}, "HEAD")).toMatchObject({ status: 200, body: "", headers: { "content-length": "10" } });
  });

  it("what was uploaded as a page is none of this origin's", async () => {
    const body = "<script>alert(1)</script>";
    await post(body, { "content-type": "text/html" });
    expect((await get(hashOf(body))).headers).toMatchObject({
      "content-type": "text/html",
      "x-content-type-options": "nosniff",
      "content-security-policy": "default-src 'none'; sandbox",
      "content-disposition": expect.stringMatching(/^attachment;/) as string,
      "cross-origin-resource-policy": "same-origin",
    });
    await post("odd", { "content-type": "text/html<script>" });
    expect((await get(hashOf("odd"))).headers["content-type"]).toBe("application/octet-stream");
  });

  it.each([
    ["an unknown hash", "GET", "0".repeat(64), 404, "BLOB_NOT_FOUND"],
    ["a path", "GET", "..%2f..%2ftoken", 404, "NOT_FOUND"],
    ["a plain path", "GET", "../token", 404, "NOT_FOUND"],
    ["a hash in capitals", "GET", "A".repeat(64), 404, "NOT_FOUND"],
    ["a hash and more", "GET", `${"0".repeat(64)}/x`, 404, "NOT_FOUND"],
    ["no hash", "GET", "", 404, "NOT_FOUND"],
    ["a hash to write to", "POST", "0".repeat(64), 405, "METHOD_NOT_ALLOWED"],
    ["another verb", "DELETE", "0".repeat(64), 405, "METHOD_NOT_ALLOWED"],
  ])("%s is refused in words", async (_what, method, name, status, reason) => {
    const refused = await get(name, {}, method);
    expect(refused.status).toBe(status);
    expect(JSON.parse(refused.body)).toMatchObject({
      code: expect.stringMatching(/^[a-z_]+$/) as string,
      message: expect.any(String) as string,
      reason,
      details: [{ type: "google.rpc.ErrorInfo", debug: { reason, domain: "parley" } }],
    });
    expect(refused.body).not.toContain(engine.dataDir);
  });

  it("nobody without a token reads or writes, and who may only read does not write", async () => {
    const { secret } = await engine.engine.createToken({ name: `reader-${protocol.replace("/", "-")}`, scope: 1 });
    await post("secret");
    const path = `/blobs/${hashOf("secret")}`;
    const as = (token: string | undefined, method: string) =>
      send(engine.url, {
        method,
        path: method === "POST" ? "/blobs" : path,
        headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
        ...(method === "POST" && { body: "x" }),
      });
    expect((await as(undefined, "GET")).status).toBe(401);
    expect((await as("guessed", "POST")).status).toBe(401);
    expect((await as(secret, "GET")).body).toBe("secret");
    const refused = await as(secret, "POST");
    expect([refused.status, JSON.parse(refused.body)]).toMatchObject([403, { reason: "SCOPE_INSUFFICIENT" }]);
  });
});

it("an upload that breaks off leaves nothing", async () => {
  const raw = await openRaw(Number(new URL(engine.url).port));
  const before = await readdir(folder());
  raw.send(
    `POST /blobs HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${engine.token}\r\ncontent-length: 1000000\r\n\r\n${"x".repeat(100_000)}`,
  );
  while ((await unfinished()).length === 0) await new Promise((resolve) => setImmediate(resolve));
  raw.socket.destroy();
  while ((await unfinished()).length > 0) await new Promise((resolve) => setImmediate(resolve));
  expect(await readdir(folder())).toEqual(before);
});

it("the client uploads bytes and sources of them, and is refused as with any call", async () => {
  const client = createClient(engine);
  const pieces = Array.from({ length: 100 }, (_, i) => Buffer.alloc(50_000, i));
  expect(await client.uploadBlob(pieces)).toEqual({ sha256: hashOf(Buffer.concat(pieces)), sizeBytes: 5_000_000 });
  expect(await client.uploadBlob(Buffer.from("small"))).toEqual({ sha256: hashOf("small"), sizeBytes: 5 });
  expect(await refusalOf(client.uploadBlob(Buffer.alloc(64 * MIB + 1)))).toMatchObject({
    code: "INVALID_ARGUMENT",
    reason: "BLOB_TOO_LARGE",
  });
  const stranger = createClient({ url: engine.url, token: "none" });
  expect(await refusalOf(stranger.uploadBlob(Buffer.from("x")))).toMatchObject({ reason: "TOKEN_INVALID" });
  const controller = new AbortController();
  const endless = async function* (): AsyncGenerator<Uint8Array> {
    for (;;) {
      yield Buffer.from("x");
      controller.abort(new Error("enough"));
    }
  };
  await expect(client.uploadBlob(endless(), { signal: controller.signal })).rejects.toThrow("enough");
  client.close();
  stranger.close();
});

it("a blob that nothing refers to is gone a day after its last upload", async () => {
  const clock = createFakeClock();
  const own = await startTestEngine({ parts: { clock } });
  const headers = { authorization: `Bearer ${own.token}` };
  const there = async (sha256: string) => (await fetch(`${own.url}/blobs/${sha256}`, { headers })).status === 200;
  const post = async (body: string) => void (await fetch(`${own.url}/blobs`, { method: "POST", headers, body }));
  await post("old");
  await post("kept");
  await clock.leap(DAY_MS / 2);
  await post("kept");
  expect([await there(hashOf("old")), await there(hashOf("kept"))]).toEqual([true, true]);
  await clock.leap(DAY_MS / 2 + 3_600_000);
  while (await there(hashOf("old"))) await new Promise((resolve) => setImmediate(resolve));
  expect(await there(hashOf("kept"))).toBe(true);
  while ((await readdir(join(own.dataDir, "blobs"))).length > 1) await new Promise((resolve) => setImmediate(resolve));
  await own.dispose();
});

async function unfinished(): Promise<string[]> {
  return (await readdir(folder())).filter((name) => !/^[0-9a-f]{64}$/.test(name));
}
