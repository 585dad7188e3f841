import { create, type DescMethod } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient, createRouterTransport, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { afterEach, describe, expect, test } from "vitest";
import { Access_Scope, AccessSchema } from "../gen/ts/parley/v1/access_pb.ts";
import { EngineService, GetInfoResponseSchema } from "../gen/ts/parley/v1/engine_service_pb.ts";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "../gen/ts/google/rpc/error_details_pb.ts";
import { MessageService } from "../gen/ts/parley/v1/message_service_pb.ts";
import { SessionService } from "../gen/ts/parley/v1/session_service_pb.ts";
import { DomainError } from "../src/errors.ts";
import { requirementOf } from "../src/rpc/interceptors/access.ts";
import { createInterceptors } from "../src/rpc/interceptors/interceptors.ts";
import { principalKey } from "../src/rpc/interceptors/principal.ts";
import { SERVICES } from "../src/rpc/services.ts";
import { fetchHttp1 } from "./helpers/raw-http.ts";
import {
  createLogger,
  startTestServer,
  type LogLine,
  type TestServer,
  type TestServerOptions,
} from "./helpers/raw-server.ts";

let server: TestServer | undefined;
afterEach(() => server?.close(0));

async function start(options: TestServerOptions = {}): Promise<TestServer> {
  return (server = await startTestServer(options));
}

const TRANSPORTS: readonly (readonly [string, (baseUrl: string) => Transport])[] = [
  ["Connect over HTTP/1.1", (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1" })],
  ["Connect over HTTP/2", (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "2" })],
  ["Connect with JSON", (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: false })],
  ["Connect GET", (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1", useHttpGet: true })],
  ["gRPC over HTTP/2", (baseUrl) => createGrpcTransport({ baseUrl })],
  ["gRPC-Web over HTTP/1.1", (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" })],
  ["gRPC-Web over HTTP/2", (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "2" })],
];

async function failure(
  call: Promise<unknown>,
): Promise<{ code: Code; reason: string | undefined; message: string; error: ConnectError }> {
  try {
    await call;
  } catch (error) {
    const found = ConnectError.from(error);
    const [info] = found.findDetails(ErrorInfoSchema);
    return { code: found.code, reason: info?.reason, message: found.rawMessage, error: found };
  }
  throw new Error("it did not fail");
}

async function drain(stream: AsyncIterable<unknown>): Promise<number> {
  let messages = 0;
  for await (const _ of stream) messages += 1;
  return messages;
}

describe.each(TRANSPORTS)("%s", (_name, transportTo) => {
  const admin = { headers: { authorization: "Bearer token-admin" } };

  test("serves a call and a stream", async () => {
    const { url } = await start({ watchMessages: 3 });
    const transport = transportTo(url);
    expect((await createClient(EngineService, transport).getInfo({}, admin)).version).toBe("1.2.3");
    const abort = new AbortController();
    const seen: bigint[] = [];
    const watching = (async () => {
      const stream = createClient(MessageService, transport).watchSession(
        { sessionId: "ses_1" },
        { ...admin, signal: abort.signal },
      );
      for await (const { payload } of stream) {
        if (payload.case === "checkpoint") seen.push(payload.value.lastSeq);
        if (seen.length === 3) abort.abort();
      }
    })();
    expect(await failure(watching)).toMatchObject({ code: Code.Canceled });
    expect(seen).toEqual([1n, 2n, 3n]);
  });

  test("wants a token, a good one, of enough scope", async () => {
    const { url } = await start();
    const transport = transportTo(url);
    const info = (authorization?: string) =>
      failure(
        createClient(EngineService, transport).getInfo(
          {},
          authorization === undefined ? {} : { headers: { authorization } },
        ),
      );
    expect(await info()).toMatchObject({ code: Code.Unauthenticated, reason: "TOKEN_MISSING" });
    expect(await info("Basic dXNlcg==")).toMatchObject({ code: Code.Unauthenticated, reason: "TOKEN_MISSING" });
    expect(await info("Bearer wrong")).toMatchObject({ code: Code.Unauthenticated, reason: "TOKEN_INVALID" });
    const send = createClient(MessageService, transport).sendMessage(
      { sessionId: "ses_1" },
      { headers: { authorization: "Bearer token-read" } },
    );
    expect(await failure(drain(send))).toMatchObject({ code: Code.PermissionDenied, reason: "SCOPE_INSUFFICIENT" });
    const watch = createClient(MessageService, transport).watchSession({ sessionId: "ses_1" });
    expect(await failure(drain(watch))).toMatchObject({ code: Code.Unauthenticated, reason: "TOKEN_MISSING" });
  });

  test("control: without the interceptors nobody is asked for a token", async () => {
    const { url } = await start({ rpc: {} });
    expect((await createClient(EngineService, transportTo(url)).getInfo({})).version).toBe("1.2.3");
  });

  test("names the fields that are not as their protos say, in calls and streams", async () => {
    const { url } = await start();
    const client = createClient(MessageService, transportTo(url));
    const calls = [
      () => client.getTurn({ sessionId: "" }, admin),
      () => drain(client.watchSession({ sessionId: "x".repeat(65), afterSeq: -1n }, admin)),
    ];
    for (const call of calls) {
      const { code, reason, error } = await failure(call());
      expect({ code, reason }).toEqual({ code: Code.InvalidArgument, reason: "INVALID_FIELD" });
      const fields = error
        .findDetails(BadRequestSchema)
        .flatMap(({ fieldViolations }) => fieldViolations.map(({ field }) => field));
      expect(fields).toContain("session_id");
    }
  });

  test("tells nothing of an error that was not foreseen but an id that is in the log", async () => {
    const { url, logs } = await start({
      onGetStatus() {
        throw new Error("SELECT secret FROM /home/someone/parley.db");
      },
    });
    const { code, reason, message } = await failure(createClient(EngineService, transportTo(url)).getStatus({}, admin));
    expect({ code, reason, message }).toEqual({
      code: Code.Internal,
      reason: "INTERNAL",
      message: "internal error; its id in the engine's log is error-1",
    });
    expect(logs.find(({ level }) => level === "error")?.fields).toMatchObject({
      error_id: "error-1",
      err: { message: "SELECT secret FROM /home/someone/parley.db" },
    });
  });

  test("tells the log of a bug whose caller has left, and not of the caller", async () => {
    const [asked, isGone, logged] = [
      Promise.withResolvers<void>(),
      Promise.withResolvers<void>(),
      Promise.withResolvers<LogLine>(),
    ];
    const logger = createLogger([]);
    const error = (fields: object, message: string): void =>
      logged.resolve({ level: "error", fields: fields as LogLine["fields"], message });
    const { url } = await start({
      rpc: createInterceptors({ findPrincipal: () => ({ name: "x", scope: "admin" }), logger: { ...logger, error } }),
      async onGetStatus() {
        asked.resolve();
        await isGone.promise;
        throw new TypeError("undefined is not a function");
      },
    });
    const controller = new AbortController();
    const call = createClient(EngineService, transportTo(url)).getStatus({}, { ...admin, signal: controller.signal });
    await asked.promise;
    controller.abort();
    await expect(call).rejects.toThrow("aborted");
    isGone.resolve();
    expect((await logged.promise).fields).toMatchObject({ err: { message: "undefined is not a function" } });
  });

  test("gives what the framework refuses a reason, and a deadline its code", async () => {
    const { url } = await start();
    const transport = transportTo(url);
    expect(
      await failure(createClient(MessageService, transport).cancelTurn({ sessionId: "ses_1" }, admin)),
    ).toMatchObject({
      code: Code.Unimplemented,
      reason: "UNIMPLEMENTED",
    });
    const watch = createClient(MessageService, transport).watchSession(
      { sessionId: "ses_1" },
      { ...admin, timeoutMs: 100 },
    );
    expect(await failure(drain(watch))).toMatchObject({ code: Code.DeadlineExceeded });
  });
});

const inMemory = (thrown: unknown, lines: LogLine[] = []) =>
  createClient(
    EngineService,
    createRouterTransport(
      (router) =>
        router.service(EngineService, {
          getInfo() {
            throw thrown;
          },
        }),
      {
        router: createInterceptors({
          findPrincipal: () => ({ name: "test", scope: "read" }),
          logger: createLogger(lines),
        }),
      },
    ),
  ).getInfo({}, { headers: { authorization: "Bearer any" } });

describe("errors", () => {
  test("a refusal keeps its reason and metadata, and says when to try again", async () => {
    const { code, error } = await failure(
      inMemory(
        new DomainError("exhausted", "QUEUE_FULL", "the queue is full", { limit: "20", retry_after_ms: "1500" }),
      ),
    );
    expect(code).toBe(Code.ResourceExhausted);
    expect(error.findDetails(ErrorInfoSchema)[0]).toMatchObject({
      reason: "QUEUE_FULL",
      domain: "parley",
      metadata: { limit: "20" },
    });
    expect(error.findDetails(RetryInfoSchema)[0]?.retryDelay).toMatchObject({ seconds: 1n, nanos: 500_000_000 });
  });

  test("bytes that are no message are the caller's fault", async () => {
    const { url } = await start();
    const post = (type: string, body: string) =>
      fetchHttp1(url, {
        path: "/parley.v1.EngineService/GetInfo",
        headers: { authorization: "Bearer token-read", "content-type": type },
        body,
      });
    for (const response of [await post("application/json", "{"), await post("application/proto", "\0\0\0")]) {
      expect(JSON.parse(response.body)).toMatchObject({
        code: "invalid_argument",
        details: [{ debug: { reason: "MALFORMED_REQUEST" } }],
      });
    }
  });

  test("the log has one line for a call, and never a token", async () => {
    const { url, logs } = await start();
    await createClient(EngineService, createGrpcTransport({ baseUrl: url })).getInfo(
      {},
      { headers: { authorization: "Bearer token-operate" } },
    );
    expect(logs).toMatchObject([
      { level: "debug", fields: { method: "GetInfo", protocol: "grpc", principal: "operate", code: "ok" } },
    ]);
    expect(JSON.stringify(logs)).not.toContain("token-operate");
  });
});

describe("access", () => {
  const methods: readonly DescMethod[] = SERVICES.flatMap((service) => service.methods);

  test.each(methods.map((method) => [`${method.parent.name}.${method.name}`, method] as const))(
    "%s says who may call it",
    (_name, method) => {
      expect(requirementOf(method)).toMatch(/^(read|operate|admin)$/);
    },
  );

  test("control: a method that does not say is nobody's", () => {
    const { proto } = EngineService.method.getInfo;
    const silent = {
      ...EngineService.method.getInfo,
      proto: { ...proto, options: undefined },
    } as unknown as DescMethod;
    expect(requirementOf(silent)).toBeUndefined();
    expect(create(AccessSchema).scope).toBe(Access_Scope.UNSPECIFIED);
  });

  test("holds where a router was built with the interceptors alone", async () => {
    const { interceptors } = createInterceptors({ findPrincipal: () => undefined, logger: createLogger([]) });
    const transport = createRouterTransport((router) => router.service(SessionService, {}), {
      router: { interceptors },
    });
    const call = createClient(SessionService, transport).deleteSession({ sessionId: "ses_1" });
    expect(await failure(call)).toMatchObject({ code: Code.Unauthenticated, reason: "TOKEN_MISSING" });
  });

  test("tells methods who calls", async () => {
    const router = createInterceptors({
      findPrincipal: (token) => ({ name: token, scope: "read" }),
      logger: createLogger([]),
    });
    const transport = createRouterTransport(
      (routes) =>
        routes.service(EngineService, {
          getInfo: (_, { values }) => create(GetInfoResponseSchema, { version: values.get(principalKey)?.name ?? "" }),
        }),
      { router },
    );
    const info = await createClient(EngineService, transport).getInfo(
      {},
      { headers: { authorization: "Bearer someone" } },
    );
    expect(info.version).toBe("someone");
  });
});

test.each([
  [
    "a stream that is asked for in plain JSON",
    "POST",
    "application/json",
    "MessageService/WatchSession",
    415,
    "connect+json",
  ],
  ["a call in another type", "POST", "text/plain", "EngineService/GetInfo", 415, "application/json"],
  ["another verb", "PUT", "application/json", "EngineService/GetInfo", 405, "POST"],
])("%s is refused with what to do", async (_name, method, type, path, status, told) => {
  const { url } = await start();
  const answer = await fetch(`${url}/parley.v1.${path}`, { method, headers: { "content-type": type }, body: "{}" });
  expect(answer.status).toBe(status);
  expect(await answer.text()).toContain(told);
});
