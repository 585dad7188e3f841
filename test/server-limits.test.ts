import { gzipSync } from "node:zlib";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, describe, expect, test } from "vitest";
import type { Clock } from "../src/clock.ts";
import type { Limits } from "../src/server/limits.ts";
import { createFakeClock, type FakeClock } from "./helpers/fake-clock.ts";
import { fetchHttp1, fetchHttp2 } from "./helpers/raw-http.ts";
import * as frames from "./helpers/raw-frames.ts";
import { openRaw, type RawConnection } from "./helpers/raw-http.ts";
import { startTestServer, type TestServer } from "./helpers/raw-server.ts";

const PATH = "/parley.v1.EngineService/GetInfo";
const JSON_TYPE = { "content-type": "application/json", authorization: "Bearer token-read" };
const PROTO_TYPE = { ...JSON_TYPE, "content-type": "application/proto" };
const MIB = 1024 * 1024;

let server: TestServer | undefined;
afterEach(() => server?.close(0));

async function start(limits: Partial<Limits> = {}, clock?: Clock): Promise<TestServer> {
  return (server = await startTestServer({ limits, ...(clock !== undefined && { clock }) }));
}

function heapBytes(): number {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  return process.memoryUsage().heapUsed;
}

/** What every attack must leave behind: a server that serves. */
async function statuses({ url }: TestServer): Promise<number[]> {
  const request = { path: PATH, headers: JSON_TYPE, body: "{}" };
  return [(await fetchHttp1(url, request)).status, (await fetchHttp2(url, request)).status];
}

const SERVING = [200, 200];

describe.each([
  ["HTTP/1.1", fetchHttp1],
  ["HTTP/2", fetchHttp2],
])("bodies over %s", (_name, ask) => {
  const big = Buffer.alloc(20_000_000);

  test("20 MB are refused, and the refusal arrives", async () => {
    const started = await start();
    const response = await ask(started.url, { path: PATH, headers: JSON_TYPE, body: big });
    expect(response.status).toBe(429);
    expect(JSON.parse(response.body)).toMatchObject({
      code: "resource_exhausted",
      message: expect.stringContaining("larger than 4194304 bytes; upload what is large with POST /blobs") as unknown,
      details: [{ debug: { reason: "REQUEST_TOO_LARGE" } }],
    });
    expect(await statuses(started)).toEqual(SERVING);
  });

  test("20 MB of somebody without a token are refused for the token", async () => {
    const { url } = await start();
    const response = await ask(url, { path: PATH, headers: { "content-type": "application/json" }, body: big });
    expect(response.status).toBe(401);
  });

  test("control: with a larger limit 20 MB are read and looked at", async () => {
    const { url } = await start({ maxMessageBytes: 32 * MIB });
    expect(await ask(url, { path: PATH, headers: JSON_TYPE, body: big })).toMatchObject({ status: 400 });
  });

  const bomb = gzipSync(Buffer.alloc(50 * MIB));

  test("a gzip bomb is refused", async () => {
    const started = await start();
    const before = process.memoryUsage.rss();
    for (let i = 0; i < 10; i++) {
      const response = await ask(started.url, {
        path: PATH,
        headers: { ...PROTO_TYPE, "content-encoding": "gzip" },
        body: bomb,
      });
      expect(JSON.parse(response.body)).toMatchObject({ code: "resource_exhausted" });
    }
    // Ten of them unpacked are 500 MiB.
    expect(process.memoryUsage.rss() - before).toBeLessThan(150 * MIB);
    expect(await statuses(started)).toEqual(SERVING);
  });

  test("control: with a larger limit the bomb is unpacked", async () => {
    const { url } = await start({ maxMessageBytes: 64 * MIB });
    const response = await ask(url, {
      path: PATH,
      headers: { ...PROTO_TYPE, "content-encoding": "gzip" },
      body: bomb,
    });
    expect(JSON.parse(response.body)).toMatchObject({ code: "invalid_argument" });
  });
});

const head = (port: number, length: number): string =>
  `POST ${PATH} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\ncontent-type: application/json\r\nauthorization: Bearer token-read\r\ncontent-length: ${length}\r\n`;

/** Moves the clock on, and lets what comes be read in between, until the server has closed the connection. */
async function closedInTime(raw: RawConnection, clock: FakeClock): Promise<Buffer> {
  while (!raw.socket.closed) await clock.advance(10);
  return raw.closed();
}

describe("silence", () => {
  // The clock of those that are called again afterwards stands still then: who calls may take as long as this machine does.
  test("nothing sent at all: closed", async () => {
    const clock = createFakeClock();
    const started = await start({ sniffMs: 30 }, clock);
    const raw = await openRaw(started.port);
    expect(await closedInTime(raw, clock)).toHaveLength(0);
    await expect.poll(() => started.app.connections()).toBe(0);
    expect(await statuses(started)).toEqual(SERVING);
  });

  test("half of the HTTP/2 preface: closed", async () => {
    const { port } = await start({ sniffMs: 30 });
    const raw = await openRaw(port);
    raw.send(frames.PREFACE.subarray(0, 7));
    expect(await raw.closed()).toHaveLength(0);
  });

  test("the HTTP/2 preface and then nothing: closed", async () => {
    const { port } = await start({ firstStreamMs: 30 });
    const raw = await openRaw(port);
    raw.send(frames.PREFACE);
    await expect(raw.closed()).resolves.toBeInstanceOf(Buffer);
  });

  test("half of the headers: 408", async () => {
    const started = await start({ headersMs: 40 });
    const raw = await openRaw(started.port);
    raw.send(head(started.port, 2));
    expect((await raw.closed()).toString()).toContain("408 Request Timeout");
    expect(await statuses(started)).toEqual(SERVING);
  });

  test("half of the body: an error, and the connection is closed", async () => {
    const clock = createFakeClock();
    const started = await start({ sniffMs: 1e9, bodyStallMs: 40, lingerMs: 40 }, clock);
    const raw = await openRaw(started.port);
    raw.send(`${head(started.port, 100)}\r\n{`);
    expect((await closedInTime(raw, clock)).toString()).toContain("deadline_exceeded");
    expect(await statuses(started)).toEqual(SERVING);
  });

  test("a body that trickles for ever: an error", async () => {
    const { port } = await start({ requestMs: 60, lingerMs: 40 });
    const raw = await openRaw(port);
    raw.send(`${head(port, 100)}\r\n{`);
    const trickle = setInterval(() => raw.send(" "), 5);
    await raw.closed();
    clearInterval(trickle);
    expect(raw.received().toString()).toMatch(/deadline_exceeded|408/);
  });

  test("control: a pause shorter than the limits is nothing", async () => {
    const started = await start();
    const raw = await openRaw(started.port);
    raw.send("PO");
    expect(await statuses(started)).toEqual(SERVING);
    raw.send(head(started.port, 2).slice(2));
    expect(await statuses(started)).toEqual(SERVING);
    raw.send("\r\n{");
    expect(await statuses(started)).toEqual(SERVING);
    raw.send("}");
    await expect(raw.until((received) => received.includes('{"version":"1.2.3"}'))).resolves.toBeInstanceOf(Buffer);
    raw.socket.destroy();
  });

  test("of too many silent connections the oldest goes, and a client still gets in", async () => {
    const started = await start({ maxUnidentified: 2 });
    const first = await openRaw(started.port);
    const others = [await openRaw(started.port), await openRaw(started.port)];
    await first.closed();
    expect(await statuses(started)).toEqual(SERVING);
    for (const { socket } of others) socket.destroy();
  });
});

async function attack(
  started: TestServer,
  frame: (index: number) => Uint8Array,
  count: number,
): Promise<RawConnection> {
  const raw = await openRaw(started.port);
  raw.send(Buffer.concat([frames.PREFACE, frames.settings()]));
  raw.send(Buffer.concat(Array.from({ length: count }, (_, index) => frame(index))));
  raw.send(frames.ping("alive?"));
  return raw;
}

describe("HTTP/2 floods", () => {
  // Fewer than the library itself would take offence at (a thousand answers that wait to be sent).
  const COUNT = 500;
  const FLOODS: readonly (readonly [
    string,
    (port: number) => (index: number) => Uint8Array,
    Partial<Limits>,
    Partial<Limits>,
  ])[] = [
    [
      "resets (CVE-2023-44487)",
      (port) => (index) => frames.requestAndReset(port, 2 * index + 1),
      { resetBurst: 50, resetsPerSecond: 1 },
      { resetBurst: 1e6, resetsPerSecond: 1e6 },
    ],
    [
      "pings",
      () => (index) => frames.ping(`${index}`),
      { pingBurst: 50, pingsPerSecond: 1 },
      { pingBurst: 1e6, pingsPerSecond: 1e6 },
    ],
    [
      "settings",
      () => () => frames.settings(),
      { settingsBurst: 50, settingsPerSecond: 1 },
      { settingsBurst: 1e6, settingsPerSecond: 1e6 },
    ],
  ];

  test.each(FLOODS)("%s: the connection is closed, the server serves", async (_name, flood, limits) => {
    const started = await start(limits);
    const raw = await attack(started, flood(started.port), COUNT);
    await raw.closed();
    expect(await statuses(started)).toEqual(SERVING);
  });

  test.each(FLOODS)(
    "control: without the limit the connection takes any number of %s",
    async (_name, flood, _limits, off) => {
      const started = await start(off);
      const raw = await attack(started, flood(started.port), COUNT);
      await expect(raw.until((received) => frames.hasPong(received, "alive?"))).resolves.toBeInstanceOf(Buffer);
      raw.send(frames.ping("still?"));
      await expect(raw.until((received) => frames.hasPong(received, "still?"))).resolves.toBeInstanceOf(Buffer);
      raw.socket.destroy();
    },
  );

  test("endless continuation of headers: the connection is closed", async () => {
    const started = await start();
    const raw = await attack(started, () => frames.continued(started.port, 1, 50_000, false), 1);
    await raw.closed();
    expect(await statuses(started)).toEqual(SERVING);
  });

  test("control: headers in three frames are headers", async () => {
    const started = await start();
    const raw = await attack(started, () => frames.continued(started.port, 1, 2, true), 1);
    await expect(raw.until((received) => frames.hasPong(received, "alive?"))).resolves.toBeInstanceOf(Buffer);
    raw.socket.destroy();
  });

  test("floods again and again leave neither connections nor memory behind", async () => {
    const started = await start({ resetBurst: 50, resetsPerSecond: 1 });
    const flood = FLOODS[0]?.[1](started.port) ?? (() => Buffer.alloc(0));
    const once = async (): Promise<void> => {
      await (await attack(started, flood, COUNT)).closed();
    };
    for (let i = 0; i < 10; i++) await once();
    const before = heapBytes();
    for (let i = 0; i < 25; i++) await once();
    // 25 times 500 requests; what is kept of one is at least a kilobyte.
    expect(heapBytes() - before).toBeLessThan(8 * MIB);
    expect(await statuses(started)).toEqual(SERVING);
    await expect.poll(() => started.app.connections()).toBe(0);
  });
});
