import { connect as connectHttp2 } from "node:http2";
import { readFileSync, writeFileSync, copyFileSync } from "node:fs";
import { type AddressInfo, connect as connectTcp, createServer } from "node:net";
import { join } from "node:path";
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from "node:tls";
import { createClient as createServiceClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { EngineService } from "../gen/ts/parley/v1/engine_service_pb.ts";
import { MessageService } from "../gen/ts/parley/v1/message_service_pb.ts";
import { createClient } from "../src/client/client.ts";
import { readCredentials } from "../src/server/tls-files.ts";
import { parley } from "./cli-process.ts";
import { makeCertificate, type TestCertificate } from "./helpers/certificate.ts";
import { makeTempDir, startEngineProcess, startRefused, type EngineProcess } from "./helpers/engine-process.ts";
import { createFakeClock } from "./helpers/fake-clock.ts";
import { fetchHttp2, openRaw } from "./helpers/raw-http.ts";
import { startTestServer, type TestServer, type TestServerOptions } from "./helpers/raw-server.ts";
import { findProgram } from "./third-party/place.ts";
import { run, succeed } from "./third-party/programs.ts";

const grpcurl = findProgram("grpcurl");
const INFO = "/parley.v1.EngineService/GetInfo";

let ca: TestCertificate;
let certificate: TestCertificate;
let server: TestServer | undefined;
const engines: EngineProcess[] = [];

beforeAll(() => {
  ca = makeCertificate({ names: "DNS:ca.example" });
  certificate = makeCertificate({ ca });
});
afterEach(() => server?.close(0));
afterAll(async () => {
  for (const engine of engines) await engine.kill();
});

async function start(options: TestServerOptions = {}): Promise<TestServer> {
  return (server = await startTestServer({ credentials: readCredentials(certificate, Date.now()), ...options }));
}

async function startEngine({ certFile, keyFile }: TestCertificate): Promise<EngineProcess> {
  const engine = await startEngineProcess({ args: ["--tls-cert", certFile, "--tls-key", keyFile] });
  engines.push(engine);
  return engine;
}

function write(text: string): string {
  const file = join(makeTempDir("pem"), "file.pem");
  writeFileSync(file, text);
  return file;
}

/** What an HTTP/2 server says first: type 4 after three bytes of length (RFC 9113, section 6.5). */
const isSettings = (said: string): boolean => said.charCodeAt(3) === 4;
const isHttp1 = (said: string): boolean => said.startsWith("HTTP/1.1 200 OK");

function handshake(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ port, host: "127.0.0.1", ca: ca.cert, ...options }, () => resolve(socket));
    socket.once("error", reject);
  });
}

function ended(socket: TLSSocket): Promise<void> {
  socket.on("error", () => undefined).resume();
  return new Promise((resolve) => socket.once("close", () => resolve()));
}

describe("over TLS", () => {
  const transports: readonly [string, (baseUrl: string) => Transport][] = [
    [
      "Connect, HTTP/2",
      (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "2", nodeOptions: { ca: ca.cert } }),
    ],
    [
      "Connect, HTTP/1.1",
      (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1", nodeOptions: { ca: ca.cert } }),
    ],
    ["gRPC", (baseUrl) => createGrpcTransport({ baseUrl, nodeOptions: { ca: ca.cert } })],
    [
      "gRPC-Web, HTTP/2",
      (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "2", nodeOptions: { ca: ca.cert } }),
    ],
    [
      "gRPC-Web, HTTP/1.1",
      (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1", nodeOptions: { ca: ca.cert } }),
    ],
  ];
  test.each(transports)("%s: calls and streams", async (_name, transport) => {
    const { url, authorization, openStreams } = await start();
    expect(url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
    const engine = createServiceClient(EngineService, transport(url));
    expect(await engine.getInfo({}, { headers: authorization })).toMatchObject({ version: "1.2.3" });
    await expect(engine.getInfo({})).rejects.toThrow(/token/);
    const controller = new AbortController();
    const watch = createServiceClient(MessageService, transport(url)).watchSession(
      { sessionId: "ses_1" },
      { headers: authorization, signal: controller.signal },
    );
    expect(await watch[Symbol.asyncIterator]().next()).toMatchObject({ done: false });
    controller.abort();
    await expect.poll(() => openStreams()).toBe(0);
  });

  test("the client chooses the protocol in the handshake; who names none gets HTTP/1.1", async () => {
    const { port } = await start();
    const agreed: [string[] | undefined, string | false, (said: string) => boolean][] = [
      [["h2", "http/1.1"], "h2", isSettings],
      [["http/1.1", "h2"], "h2", isSettings],
      [["http/1.1"], "http/1.1", isHttp1],
      [undefined, false, isHttp1],
    ];
    for (const [offered, chosen, answers] of agreed) {
      const socket = await handshake(port, offered && { ALPNProtocols: offered });
      expect(socket.alpnProtocol).toBe(chosen);
      const answer = new Promise<string>((resolve) => socket.setEncoding("latin1").once("data", resolve));
      socket.write("GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
      expect(await answer).toSatisfy(answers);
      socket.destroy();
    }
  });

  test("a client without any of our protocols, or with TLS 1.1 only, is refused in the handshake", async () => {
    const { port } = await start();
    await expect(handshake(port, { ALPNProtocols: ["spdy/3"] })).rejects.toThrow(/no application protocol/i);
    const old = { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" } as const;
    await expect(handshake(port, old)).rejects.toThrow(/protocol version/i);
    const socket = await handshake(port, { maxVersion: "TLSv1.2" });
    expect(socket.getProtocol()).toBe("TLSv1.2");
    socket.destroy();
  });

  test("host names are checked as without it", async () => {
    const { url, authorization } = await start();
    const session = connectHttp2(url, { ca: ca.cert });
    const status = await new Promise((resolve) => {
      const stream = session.request({
        ":method": "POST",
        ":path": INFO,
        ":authority": "engine.example",
        ...authorization,
      });
      stream.once("response", (headers) => resolve(headers[":status"]));
      stream.end("{}");
    });
    session.close();
    expect(status).toBe(421);
  });

  test("a close ends open streams with a reason, and cuts what does not go", async () => {
    const started = await start();
    const silent = await handshake(started.port);
    const unfinished = await openRaw(started.port);
    unfinished.send(Buffer.from([22, 3, 1, 2]));
    const transport = createGrpcTransport({ baseUrl: started.url, nodeOptions: { ca: ca.cert } });
    const watch = createServiceClient(MessageService, transport).watchSession(
      { sessionId: "ses_1" },
      { headers: started.authorization },
    );
    const stream = watch[Symbol.asyncIterator]();
    await stream.next();
    const end = stream.next().catch((error: unknown) => error);
    const gone = [ended(silent), unfinished.closed()];
    await started.close(200);
    expect(await end).toMatchObject({ message: "[unavailable] the engine is stopping; connect again" });
    await Promise.all(gone);
    expect(started.app.connections()).toBe(0);
  });
});

describe("a port with TLS", () => {
  test("tells plain HTTP what it speaks, and ends", async () => {
    const { port, app } = await start();
    const raw = await openRaw(port);
    raw.send("GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n");
    expect((await raw.closed()).toString()).toMatch(
      /^HTTP\/1\.1 400 Bad Request\r\n.*\r\n\r\nthis port speaks TLS; use https:\/\/\n$/s,
    );
    await expect(fetchHttp2(`http://127.0.0.1:${port}`, { path: INFO })).rejects.toThrow(/protocol|closed|hang/i);
    await expect.poll(() => app.connections()).toBe(0);
  });

  test("drops who does not finish the handshake in time, however busy", async () => {
    const clock = createFakeClock();
    const { port, app } = await start({ clock, limits: { sniffMs: 1000 } });
    const raw = await openRaw(port);
    raw.send(Buffer.from([22, 3, 1, 2]));
    await expect.poll(() => clock.timers()).toBeGreaterThan(0);
    await clock.advance(900);
    raw.send(Buffer.from([0]));
    await clock.advance(200);
    await raw.closed();
    expect(app.connections()).toBe(0);
  });

  test("keeps who has finished it past that time", async () => {
    const clock = createFakeClock();
    const { port, app } = await start({ clock, limits: { sniffMs: 1000 } });
    const socket = await handshake(port);
    await expect.poll(() => clock.timers()).toBe(0);
    await clock.advance(5000);
    expect(app.connections()).toBe(1);
    socket.destroy();
  });

  test("has room for so many unfinished handshakes; the oldest goes", async () => {
    const { port } = await start({ limits: { maxUnidentified: 4 } });
    const unfinished = [];
    for (let i = 0; i < 5; i++) {
      const raw = await openRaw(port);
      raw.send(Buffer.from([22, 3, 1, 2]));
      unfinished.push(raw);
    }
    await unfinished[0]?.closed();
    const socket = await handshake(port);
    expect(unfinished.slice(1).every((raw) => !raw.socket.destroyed)).toBe(true);
    socket.destroy();
  });

  test("ends a flood of pings as it does without TLS", async () => {
    const { url, app } = await start({ limits: { pingBurst: 20, pingsPerSecond: 1 } });
    const session = connectHttp2(url, { ca: ca.cert, maxOutstandingPings: 200 });
    const failed = new Promise((resolve) => session.once("error", resolve));
    await new Promise((resolve) => session.once("connect", resolve));
    for (let i = 0; i < 100; i++) session.ping(() => undefined);
    expect(await failed).toMatchObject({ message: expect.stringContaining("11") as string });
    await expect.poll(() => app.connections()).toBe(0);
  });

  test("garbage after a first byte of TLS is cut off", async () => {
    const { port, app } = await start();
    const raw = await openRaw(port);
    raw.send(Buffer.from([22, ...Array.from({ length: 600 }, (_, i) => i % 251)]));
    await raw.closed();
    await expect.poll(() => app.connections()).toBe(0);
  });
});

describe("the files", () => {
  const now = Date.now();
  const tenDaysMs = 10 * 86_400_000;
  const cases: readonly [string, () => Partial<TestCertificate>, number, RegExp][] = [
    [
      "a missing certificate",
      () => ({ certFile: "/nowhere.pem" }),
      now,
      /\/nowhere\.pem cannot be read \(ENOENT\).*--tls-cert/,
    ],
    ["a folder for a key", () => ({ keyFile: makeTempDir("pem") }), now, /cannot be read \(EISDIR\).*--tls-key/],
    ["an empty certificate", () => ({ certFile: write("") }), now, /holds no certificate as PEM/],
    ["a key that is none", () => ({ keyFile: write("hello") }), now, /holds no private key as PEM/],
    ["a key for a certificate", () => ({ certFile: certificate.keyFile }), now, /holds no certificate as PEM/],
    ["another's key", () => ({ keyFile: makeCertificate().keyFile }), now, /is not the one of the certificate/],
    ["an expired certificate", () => ({}), now + 2 * tenDaysMs, /expired on \d{4}-\d\d-\d\d; put a new one/],
    [
      "one of the future",
      () => ({}),
      now - tenDaysMs,
      /is valid from \d{4}-\d\d-\d\d on; look at this machine's clock/,
    ],
  ];
  test.each(cases)("%s: a refusal that says what to do", (_name, files, nowMs, words) => {
    expect(() => readCredentials({ ...certificate, ...files() }, nowMs)).toThrow(words);
    expect(() => readCredentials({ ...certificate, ...files() }, nowMs)).toThrow(
      expect.objectContaining({ reason: "TLS_INVALID", code: "invalid" }),
    );
  });

  test("are looked at before anything is opened", async () => {
    const refused = await startRefused({
      args: ["--tls-cert", certificate.certFile, "--tls-key", ca.keyFile],
    });
    expect(refused.stderr).toMatch(/^parley: the key .* is not the one of the certificate .*\n$/);
    expect(refused.status.code).toBe(1);
  });
});

describe("an engine with TLS", () => {
  test("is found and believed by its data directory, whoever signed its certificate and whatever name it has", async () => {
    const stranger = makeCertificate({ ca, names: "DNS:engine.example" });
    for (const shown of [certificate, stranger, makeCertificate({ names: "DNS:engine.example" })]) {
      const engine = await startEngine(shown);
      expect(engine.url).toMatch(/^https:/);
      const client = createClient({ dataDir: engine.dataDir });
      expect((await client.engine.getInfo({})).logEpoch).not.toBe("");
      client.close();
    }
  });

  test("is not believed with a certificate that is not the one it wrote down", async () => {
    const engine = await startEngine(certificate);
    const file = join(engine.dataDir, "engine.json");
    const written = JSON.parse(readFileSync(file, "utf8")) as object;
    writeFileSync(file, JSON.stringify({ ...written, certificate: makeCertificate().cert }));
    const client = createClient({ dataDir: engine.dataDir });
    await expect(client.engine.getInfo({})).rejects.toThrow(/certificate|self-signed/);
    client.close();
    // One of the same CA, which would do if the CA were asked.
    writeFileSync(file, JSON.stringify({ ...written, certificate: makeCertificate({ ca }).cert + ca.cert }));
    const fooled = createClient({ dataDir: engine.dataDir });
    await expect(fooled.engine.getInfo({})).rejects.toThrow(/another certificate/);
    fooled.close();
  });

  test("named by URL is believed with the right CA and no other", async () => {
    const engine = await startEngine(certificate);
    const env = { PARLEY_TOKEN: engine.token, PARLEY_URL: engine.url };
    expect((await parley(["status", "--tls-ca", ca.certFile], "", env)).code).toBe(0);
    expect((await parley(["status"], "", { ...env, PARLEY_TLS_CA: ca.certFile })).code).toBe(0);
    const wrong = await parley(["status", "--tls-ca", makeCertificate().certFile], "", env);
    expect(wrong).toMatchObject({ code: 3, stdout: "" });
    expect(wrong.stderr).toMatch(/^parley: .*certificate.*--tls-ca.*PARLEY_TLS_CA.*\n$/);
    const missing = await parley(["status", "--tls-ca", "/nowhere.pem"], "", env);
    expect(missing).toMatchObject({ code: 2, stderr: expect.stringContaining("/nowhere.pem is not there") as string });
  });

  test("called by http:// is told from a port that only speaks nonsense", async () => {
    const engine = await startEngine(certificate);
    const plain = engine.url.replace("https:", "http:");
    const env = { PARLEY_TOKEN: engine.token };
    for (const args of [["status"], ["watch", `ses_${"0".repeat(25)}`]]) {
      const ended = await parley([...args, "--url", plain], "", env);
      expect(ended).toMatchObject({ code: 2, stdout: "" });
      expect(ended.stderr).toBe(`parley: the port of ${plain} speaks TLS; name it as ${engine.url}\n`);
    }
    const other = createServer((socket) => socket.on("error", () => socket.destroy()).end("220 mail.example\r\n"));
    await new Promise<void>((resolve) => void other.listen(0, "127.0.0.1", resolve));
    const { port } = other.address() as AddressInfo;
    const ended = await parley(["status", "--url", `http://127.0.0.1:${port}`], "", env);
    expect(ended.code).toBe(3);
    expect(ended.stderr).not.toContain("TLS");
    other.close();
  });

  test("shows a new certificate after SIGHUP, to files that are no good it keeps the old one", async () => {
    const folder = makeTempDir("renewed");
    const files = { certFile: join(folder, "cert.pem"), keyFile: join(folder, "key.pem") };
    const put = (from: TestCertificate): void => {
      copyFileSync(from.certFile, files.certFile);
      copyFileSync(from.keyFile, files.keyFile);
    };
    put(certificate);
    const engine = await startEngine({ ...certificate, ...files });
    const shown = async (): Promise<string> => {
      const socket = await handshake(engine.port, { rejectUnauthorized: false });
      const { fingerprint256 } = socket.getPeerCertificate();
      socket.destroy();
      return fingerprint256;
    };
    const first = await shown();
    const renewed = makeCertificate({ ca });
    put(renewed);
    process.kill(engine.pid, "SIGHUP");
    await expect.poll(shown).not.toBe(first);
    const second = await shown();
    const client = createClient({ dataDir: engine.dataDir });
    await client.engine.getInfo({});
    client.close();
    writeFileSync(files.keyFile, ca.key);
    process.kill(engine.pid, "SIGHUP");
    await expect.poll(() => engine.log()).toMatch(/is not the one of the certificate/);
    expect(await shown()).toBe(second);
  });

  test("serves other machines' addresses; without TLS that is refused, and both ways out are named", async () => {
    const refused = await startRefused({ args: ["--host", "0.0.0.0"] });
    expect(refused.stderr).toMatch(
      /^parley: 0\.0\.0\.0 can be reached .*--tls-cert FILE and --tls-key FILE, or --allow-insecure-remote.*\n$/,
    );
    const secure = await startEngineProcess({
      args: ["--host", "0.0.0.0", "--tls-cert", certificate.certFile, "--tls-key", certificate.keyFile],
    });
    engines.push(secure);
    expect(secure.url).toMatch(/^https:\/\/127\.0\.0\.1:/);
    const open = await startEngineProcess({ args: ["--host", "0.0.0.0", "--allow-insecure-remote"] });
    engines.push(open);
    expect(open.url).toMatch(/^http:\/\/127\.0\.0\.1:/);
    const socket = connectTcp(open.port, "127.0.0.1");
    await new Promise((resolve) => socket.once("connect", resolve));
    socket.destroy();
  });

  test.skipIf(grpcurl === undefined)("serves grpcurl with the CA, and not without", async () => {
    const engine = await startEngine(certificate);
    const args = ["-H", `authorization: Bearer ${engine.token}`, `localhost:${engine.port}`, "list"];
    expect(await succeed(grpcurl!, ["-cacert", ca.certFile, ...args])).toContain("parley.v1.EngineService");
    expect((await run(grpcurl!, args)).stderr).toMatch(/certificate/);
  });
});
