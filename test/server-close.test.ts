import { connect } from "node:http2";
import { createServer } from "node:net";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterEach, describe, expect, test } from "vitest";
import { MessageService } from "../gen/ts/parley/v1/message_service_pb.ts";
import { createListener } from "../src/server/listener.ts";
import { installShutdown, type SignalSource } from "../src/server/shutdown.ts";
import { createFakeClock } from "./helpers/fake-clock.ts";
import * as frames from "./helpers/raw-frames.ts";
import { fetchHttp1, openRaw } from "./helpers/raw-http.ts";
import { startTestServer, type TestServer, type TestServerOptions } from "./helpers/raw-server.ts";

const GRACE_MS = 20_000;

let server: TestServer | undefined;
afterEach(() => server?.close(0));

async function start(options: TestServerOptions = {}): Promise<TestServer> {
  return (server = await startTestServer(options));
}

// Where the clock stands still a close that would wait for its grace never ends.
describe("close", () => {
  test("ends open streams with a reason, and waits for nothing", async () => {
    const started = await start({ clock: createFakeClock() });
    const client = createClient(MessageService, createGrpcTransport({ baseUrl: started.url }));
    const watch = client.watchSession({ sessionId: "ses_1" }, { headers: started.authorization });
    const stream = watch[Symbol.asyncIterator]();
    await stream.next();
    const ended = stream.next().catch((error: unknown) => error);
    await started.close(GRACE_MS);
    expect(await ended).toMatchObject({ message: "[unavailable] the engine is stopping; connect again" });
    expect(started.openStreams()).toBe(0);
    expect(started.app.connections()).toBe(0);
  });

  test("does not wait for connections that nobody uses: idle HTTP/2, idle HTTP/1.1, silent", async () => {
    const started = await start({ clock: createFakeClock() });
    const session = connect(started.url);
    await new Promise((resolve) => session.once("remoteSettings", resolve));
    const kept = await openRaw(started.port);
    kept.send(`GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n`);
    await kept.until((received) => received.includes("ok"));
    const silent = await openRaw(started.port);
    await started.close(GRACE_MS);
    expect(started.app.connections()).toBe(0);
    await Promise.all([
      kept.closed(),
      silent.closed(),
      new Promise<void>((resolve) => (session.closed ? resolve() : session.once("close", resolve))),
    ]);
  });

  test("cuts what does not end by itself, after the grace", async () => {
    const clock = createFakeClock();
    const started = await start({ clock });
    const raw = await openRaw(started.port);
    raw.send("POST /parley.v1.EngineService/GetInfo HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n");
    raw.send("authorization: Bearer token-read\r\ncontent-length: 10\r\nexpect: 100-continue\r\n\r\n{");
    await raw.until((received) => received.includes("100 Continue"));
    const flood = await openRaw(started.port);
    flood.send(Buffer.concat([frames.PREFACE, frames.settings(), frames.continued(started.port, 1, 1, false)]));
    await flood.until((received) => received.length > 0);
    let isClosed = false;
    const closed = started.close(GRACE_MS).then(() => (isClosed = true));
    await clock.advance(GRACE_MS - 1);
    expect(isClosed).toBe(false);
    await clock.advance(1);
    await Promise.all([closed, raw.closed(), flood.closed()]);
  });

  test("can be asked for twice, and before listening", async () => {
    const started = await start();
    await expect(Promise.all([started.close(), started.close()])).resolves.toHaveLength(2);
    const listener = createListener({ onRequest: () => {} });
    await expect(listener.close({ graceMs: 0 })).resolves.toBeUndefined();
  });
});

describe("readiness", () => {
  test("health is open to everyone and says nothing but ok", async () => {
    let ready = false;
    const { url } = await start({ isReady: () => ready });
    const get = async (path: string) => {
      const { status, body } = await fetchHttp1(url, { method: "GET", path });
      return [status, body];
    };
    expect(await get("/healthz")).toEqual([200, "ok\n"]);
    expect(await get("/readyz")).toEqual([503, "not ready\n"]);
    ready = true;
    expect(await get("/readyz")).toEqual([200, "ok\n"]);
    expect((await get("/metrics"))[0]).toBe(404);
  });

  test("what is not there is told of as any error is", async () => {
    const { url } = await start({});
    const { status, body } = await fetchHttp1(url, { method: "POST", path: "/nothing" });
    const debug = { reason: "NOT_FOUND", domain: "parley" };
    expect([status, JSON.parse(body)]).toEqual([
      404,
      {
        code: "not_found",
        message: "there is nothing at this path",
        reason: "NOT_FOUND",
        details: [{ type: "google.rpc.ErrorInfo", value: expect.any(String) as string, debug }],
      },
    ]);
  });

  test.each(["/parley.v1.SessionService/Nothing", "/parley.v2.SessionService/GetSession?x"])(
    "what is no method, %s, is told in words, and clients go by the status",
    async (path) => {
      const { url } = await start({});
      const { status, body } = await fetchHttp1(url, { method: "POST", path });
      expect([status, body]).toEqual([404, expect.stringContaining("there is no such method") as string]);
    },
  );
});

describe("listen", () => {
  test("says what to do when the port is taken", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const { port } = other.address() as { port: number };
    const listener = createListener({ onRequest: () => {} });
    await expect(listener.listen({ host: "127.0.0.1", port })).rejects.toMatchObject({
      name: "DomainError",
      reason: "PORT_IN_USE",
      message: `127.0.0.1:${port} is in use; stop what listens there, or choose another port with --port (0 = a free one)`,
    });
    other.close();
    await listener.close({ graceMs: 0 });
  });

  test("says what to do when the address is not this machine's", async () => {
    const listener = createListener({ onRequest: () => {} });
    // TEST-NET-1 (RFC 5737): nobody's address.
    await expect(listener.listen({ host: "192.0.2.1", port: 0 })).rejects.toMatchObject({
      reason: "HOST_NOT_AVAILABLE",
    });
    await listener.close({ graceMs: 0 });
  });

  test("gives IPv6 addresses a URL that can be typed", async (context) => {
    let started: TestServer;
    try {
      started = await start({ host: "::1" });
    } catch {
      return context.skip("this machine has no IPv6");
    }
    expect(started.url).toBe(`http://[::1]:${started.port}`);
    expect((await fetchHttp1(started.url, { method: "GET", path: "/healthz" })).status).toBe(200);
  });
});

function createSource() {
  const listeners = new Map<string, () => void>();
  const source: SignalSource = {
    on: (signal, listener) => listeners.set(signal, listener),
    off: (signal) => listeners.delete(signal),
  };
  return { source, listeners, send: (signal: NodeJS.Signals) => listeners.get(signal)?.() };
}

describe("signals", () => {
  test("the first one closes and exits 0", async () => {
    const { source, send } = createSource();
    const code = await new Promise<number>((exit) => {
      installShutdown({ close: () => Promise.resolve(), exit, source });
      send("SIGTERM");
    });
    expect(code).toBe(0);
  });

  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("a second one, %s, exits at once with %i", (signal, expected) => {
    const { source, send } = createSource();
    const codes: number[] = [];
    installShutdown({
      close: () => new Promise(() => {}),
      exit: (code) => codes.push(code),
      source,
      clock: createFakeClock(),
    });
    send("SIGTERM");
    expect(codes).toEqual([]);
    send(signal);
    expect(codes).toEqual([expected]);
  });

  test("a close that takes too long is given up after 10 s, one that fails at once", async () => {
    const { source, send } = createSource();
    const clock = createFakeClock();
    const codes: number[] = [];
    installShutdown({ close: () => new Promise(() => {}), exit: (code) => codes.push(code), source, clock });
    send("SIGTERM");
    await clock.advance(9_999);
    expect(codes).toEqual([]);
    await clock.advance(1);
    expect(codes).toEqual([1]);

    const failing = createSource();
    const code = await new Promise<number>((exit) => {
      installShutdown({ close: () => Promise.reject(new Error("no")), exit, source: failing.source, clock });
      failing.send("SIGINT");
    });
    expect(code).toBe(1);
  });

  test("the listeners can be taken back", () => {
    const { source, listeners } = createSource();
    installShutdown({ close: () => Promise.resolve(), exit: () => {}, source })();
    expect(listeners.size).toBe(0);
  });
});
