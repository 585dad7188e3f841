import type { MessageInitShape } from "@bufbuild/protobuf";
import { createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { pino } from "pino";
import { afterEach, describe, expect, it } from "vitest";
import { ServerReflection } from "../../gen/ts/grpc/reflection/v1/reflection_pb.ts";
import { Access_Scope as Scope } from "../../gen/ts/parley/v1/access_pb.ts";
import type { CreateTokenRequestSchema } from "../../gen/ts/parley/v1/engine_service_pb.ts";
import { EngineService, MessageService } from "../../src/client/client.ts";
import { createWatchedClock } from "./clock.ts";
import { createSession, noReaders, refusalOf, replay, text } from "./observe.ts";
import { startTestEngine, type TestEngine, type TestEngineOptions } from "./test-engine.ts";

const engines: TestEngine[] = [];
afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.dispose();
});

async function start(options?: TestEngineOptions): Promise<TestEngine> {
  const engine = await startTestEngine(options);
  engines.push(engine);
  return engine;
}

let made = 0;

async function makeToken(engine: TestEngine, options: { readonly scope?: Scope; readonly lifetimeS?: number } = {}) {
  const { scope = Scope.OPERATE, lifetimeS = 0 } = options;
  const lifetime = lifetimeS === 0 ? {} : { lifetime: { seconds: BigInt(lifetimeS) } };
  const { token, secret } = await engine.engine.createToken({ name: `t${++made}`, scope, ...lifetime });
  return { id: token!.id, name: token!.name, secret };
}

const transports: Readonly<Record<string, (baseUrl: string, interceptors: Interceptor[]) => Transport>> = {
  "Connect over HTTP/1.1": (baseUrl, interceptors) =>
    createConnectTransport({ baseUrl, interceptors, httpVersion: "1.1" }),
  "Connect over HTTP/2": (baseUrl, interceptors) => createConnectTransport({ baseUrl, interceptors, httpVersion: "2" }),
  gRPC: (baseUrl, interceptors) => createGrpcTransport({ baseUrl, interceptors }),
  "gRPC-Web over HTTP/1.1": (baseUrl, interceptors) =>
    createGrpcWebTransport({ baseUrl, interceptors, httpVersion: "1.1" }),
};

function connect(engine: TestEngine, secret: string, protocol = "Connect over HTTP/2"): Transport {
  const showToken: Interceptor = (next) => (request) => {
    request.header.set("authorization", `Bearer ${secret}`);
    return next(request);
  };
  return transports[protocol]!(engine.url, [showToken]);
}

const REVOKED = { code: "UNAUTHENTICATED", reason: "TOKEN_REVOKED" };
const INVALID = { code: "UNAUTHENTICATED", reason: "TOKEN_INVALID" };

/** Reads a stream to its end; tells when its first message has come. */
async function drain(stream: AsyncIterable<unknown>, begun: () => void): Promise<void> {
  for await (const _ of stream) begun();
}

/** Every stream that a token may open; each goes on until somebody ends it. */
const STREAMS: Readonly<Record<string, (transport: Transport, sessionId: string) => AsyncIterable<unknown>>> = {
  "a watch of a quiet session": (transport, sessionId) =>
    createClient(MessageService, transport).watchSession({ sessionId }),
  "a watch of all sessions": (transport) => createClient(EngineService, transport).watchEngine({}),
  "a message that is being answered": (transport, sessionId) =>
    createClient(MessageService, transport).sendMessage({
      sessionId,
      parts: text("talk without end, as fast as you can"),
    }),
};

describe.each(Object.keys(transports))("over %s", (protocol) => {
  it.each(Object.keys(STREAMS))("%s ends at once with its token, and others go on", async (name) => {
    const engine = await start();
    const { id: sessionId } = await createSession(engine);
    const mine = await makeToken(engine);
    const other = await makeToken(engine, { scope: Scope.READ });
    const transport = connect(engine, mine.secret, protocol);
    const begun = Promise.withResolvers<void>();
    const refused = refusalOf(drain(STREAMS[name]!(transport, sessionId), begun.resolve));
    await begun.promise;

    const leaving = new AbortController();
    const otherBegun = Promise.withResolvers<void>();
    const watching = createClient(MessageService, connect(engine, other.secret, protocol));
    const otherEnd = refusalOf(drain(watching.watchSession({ sessionId }, leaving), otherBegun.resolve));
    await otherBegun.promise;

    await engine.engine.revokeToken({ tokenId: mine.id });
    expect(await refused).toMatchObject({ ...REVOKED, metadata: { token: mine.name } });
    expect(await refusalOf(createClient(EngineService, transport).getInfo({}))).toMatchObject(INVALID);
    expect((await engine.engine.getStatus({})).readers).toBe(1);
    await createClient(EngineService, connect(engine, other.secret, protocol)).getInfo({});
    leaving.abort();
    expect(await otherEnd).toMatchObject({ code: "CANCELED" });
    await noReaders(engine);
    const { session } = await engine.sessions.getSession({ sessionId });
    // A turn belongs to its session, not to who started it.
    if (session!.runningTurnId !== "") await engine.messages.cancelTurn({ sessionId });
  });
});

it("a conversation with reflection ends with its token", async () => {
  const engine = await start();
  const { id, secret } = await makeToken(engine, { scope: Scope.READ });
  const { promise: left, resolve: leave } = Promise.withResolvers<void>();
  async function* ask() {
    yield { messageRequest: { case: "listServices" as const, value: "" } };
    await left;
  }
  const client = createClient(ServerReflection, connect(engine, secret, "gRPC"));
  const answers = client.serverReflectionInfo(ask())[Symbol.asyncIterator]();
  expect((await answers.next()).value?.messageResponse.case).toBe("listServicesResponse");
  await engine.engine.revokeToken({ tokenId: id });
  expect(await refusalOf(answers.next())).toMatchObject(REVOKED);
  leave();
});

it("a stream whose reader does not read lets go with its token", async () => {
  const engine = await start();
  const { id: sessionId } = await createSession(engine);
  await engine.messages.startTurn({ sessionId, parts: text("talk without end, as fast as you can") });
  const { id, secret } = await makeToken(engine, { scope: Scope.READ });
  const watch = createClient(MessageService, connect(engine, secret)).watchSession({ sessionId });
  const reader = watch[Symbol.asyncIterator]();
  await reader.next();
  expect((await engine.engine.getStatus({})).readers).toBe(1);
  await engine.engine.revokeToken({ tokenId: id });
  await noReaders(engine);
  await engine.messages.cancelTurn({ sessionId });
  const rest = { [Symbol.asyncIterator]: () => reader };
  expect(await refusalOf(drain(rest, () => {}))).toMatchObject(REVOKED);
});

it("a token that expires ends its streams on time", async () => {
  const clock = createWatchedClock();
  const engine = await start({ parts: { clock } });
  const { id: sessionId } = await createSession(engine);
  const { secret } = await makeToken(engine, { scope: Scope.READ, lifetimeS: 60 });
  const transport = connect(engine, secret);
  const begun = Promise.withResolvers<void>();
  const watch = createClient(MessageService, transport).watchSession({ sessionId });
  const refused = refusalOf(drain(watch, begun.resolve));
  await begun.promise;
  await clock.advance(59_999);
  await createClient(EngineService, transport).getInfo({});
  expect((await engine.engine.getStatus({})).readers).toBe(1);
  await clock.advance(1);
  expect(await refused).toMatchObject(REVOKED);
  expect(await refusalOf(createClient(EngineService, transport).getInfo({}))).toMatchObject(INVALID);
  await noReaders(engine);
});

it("events tell whose token caused them", async () => {
  const engine = await start();
  const { id: sessionId } = await createSession(engine);
  const { name, secret } = await makeToken(engine);
  await createClient(MessageService, connect(engine, secret)).startTurn({ sessionId, parts: text("stall") });
  const [started] = await replay(engine, sessionId);
  expect(started).toMatchObject({ actor: name, payload: { case: "turnStarted" } });
  await engine.messages.cancelTurn({ sessionId });
});

it("lists the living ones, the newest first, page by page, over a restart, and never what opens the engine", async () => {
  const engine = await start();
  const names: string[] = [];
  for (const scope of [Scope.READ, Scope.OPERATE, Scope.ADMIN])
    names.unshift((await makeToken(engine, { scope })).name);
  const gone = await makeToken(engine);
  await engine.engine.revokeToken({ tokenId: gone.id });
  const again = await engine.restart();
  engines.push(again);
  const listed = [];
  let pageToken = "";
  do {
    const page = await again.engine.listTokens({ pageSize: 2, pageToken });
    listed.push(...page.tokens);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  expect(listed.map(({ name }) => name)).toEqual(names);
  expect(listed.map(({ scope }) => scope)).toEqual([Scope.ADMIN, Scope.OPERATE, Scope.READ]);
  const printed = JSON.stringify(listed, (_key, value: unknown) => (typeof value === "bigint" ? String(value) : value));
  expect(printed).not.toContain("parley_");
});

it("what is not a name, a scope or a lifetime is refused, and so is what is taken", async () => {
  const engine = await start();
  const scope = Scope.READ;
  const bads: MessageInitShape<typeof CreateTokenRequestSchema>[] = [
    { name: "", scope },
    { name: "a b", scope },
    { name: "naïve", scope },
    { name: "😀", scope },
    { name: "../x", scope },
    { name: "x".repeat(65), scope },
    { name: "x", scope: Scope.UNSPECIFIED },
    { name: "x", scope: 99 as Scope },
    { name: "x", scope, lifetime: {} },
    { name: "x", scope, lifetime: { seconds: -1n } },
    { name: "x", scope, lifetime: { seconds: 315_360_001n } },
  ];
  for (const bad of bads) {
    expect(await refusalOf(engine.engine.createToken(bad))).toMatchObject({
      code: "INVALID_ARGUMENT",
      reason: "INVALID_FIELD",
    });
  }
  await engine.engine.createToken({ name: "x", scope });
  for (const name of ["x", "X", "admin"]) {
    expect(await refusalOf(engine.engine.createToken({ name, scope }))).toMatchObject({
      code: "ALREADY_EXISTS",
      reason: "TOKEN_NAME_TAKEN",
    });
  }
  expect((await engine.engine.listTokens({})).tokens).toHaveLength(1);
});

it("no secret is ever in the log, at any level", async () => {
  const lines: string[] = [];
  const logger = pino({ level: "trace" }, { write: (line: string) => void lines.push(line) });
  const engine = await start({ parts: { logger } });
  const { id, secret } = await makeToken(engine);
  const mine = connect(engine, secret);
  await createClient(EngineService, mine).getInfo({});
  await refusalOf(createClient(EngineService, mine).listTokens({}));
  await refusalOf(createClient(EngineService, mine).createToken({ name: secret.slice(0, 64), scope: Scope.READ }));
  await engine.engine.revokeToken({ tokenId: id });
  await refusalOf(createClient(EngineService, mine).getInfo({}));
  await engine.stop();
  const log = lines.join("");
  expect(log).toContain("CreateToken");
  for (const open of [secret, secret.slice(7), engine.token]) expect(log).not.toContain(open);
});
