import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code, createClient, type Transport } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Health, HealthCheckResponse_ServingStatus as Status } from "../gen/ts/grpc/health/v1/health_pb.ts";
import { ServerReflection, type ServerReflectionRequest } from "../gen/ts/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as ServerReflectionAlpha } from "../gen/ts/grpc/reflection/v1alpha/reflection_pb.ts";
import { createHealthService } from "../src/rpc/health.ts";
import { reflectionRoutes } from "../src/rpc/reflection.ts";
import { SERVICES } from "../src/rpc/services.ts";
import { startTestServer, type TestServer } from "./helpers/raw-server.ts";

let server: TestServer;
let transport: Transport;
const health = createHealthService(SERVICES.map(({ typeName }) => typeName));
const read = { headers: { authorization: "Bearer token-read" } };

beforeAll(async () => {
  server = await startTestServer({
    routes(router) {
      reflectionRoutes([...SERVICES, Health])(router);
      router.service(Health, health.service);
    },
  });
  transport = createGrpcTransport({ baseUrl: server.url });
});
afterAll(() => server.close());

type Question = Exclude<ServerReflectionRequest["messageRequest"], { case: undefined }>;

async function ask(...questions: Question[]) {
  const client = createClient(ServerReflection, transport);
  async function* requests() {
    for (const messageRequest of questions) yield { host: "here", messageRequest };
  }
  const answers = [];
  for await (const { messageResponse } of client.serverReflectionInfo(requests(), read)) answers.push(messageResponse);
  return answers;
}

function filesOf(answer: Awaited<ReturnType<typeof ask>>[number] | undefined): string[] {
  if (answer?.case !== "fileDescriptorResponse") throw new Error(`no file but ${answer?.case}`);
  return answer.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes).name);
}

async function* askAlpha() {
  yield { messageRequest: { case: "fileContainingSymbol" as const, value: "parley.v1.access" } };
}

describe("reflection", () => {
  test("lists the services that are served", async () => {
    const [answer] = await ask({ case: "listServices", value: "" });
    const names = answer?.case === "listServicesResponse" ? answer.value.service.map(({ name }) => name) : [];
    expect(names).toEqual(
      expect.arrayContaining([...SERVICES, Health, ServerReflection].map(({ typeName }) => typeName)),
    );
  });

  test("sends a file with everything it imports, each once a stream", async () => {
    const engine: Question = { case: "fileByFilename", value: "parley/v1/engine_service.proto" };
    const [first, second] = await ask(engine, engine);
    expect(filesOf(first)[0]).toBe("parley/v1/engine_service.proto");
    expect(filesOf(first)).toEqual(
      expect.arrayContaining([
        "parley/v1/access.proto",
        "google/protobuf/descriptor.proto",
        "google/protobuf/timestamp.proto",
        "parley/v1/profile.proto",
      ]),
    );
    expect(filesOf(second)).toEqual(["parley/v1/engine_service.proto"]);
  });

  test.each([
    ["parley.v1.MessageService", "parley/v1/message_service.proto"],
    ["parley.v1.MessageService.WatchSession", "parley/v1/message_service.proto"],
    ["parley.v1.Checkpoint", "parley/v1/message_service.proto"],
    ["parley.v1.Checkpoint.last_seq", "parley/v1/message_service.proto"],
    ["parley.v1.WatchSessionResponse.payload", "parley/v1/message_service.proto"],
    ["parley.v1.Access.Scope", "parley/v1/access.proto"],
    ["parley.v1.Access.SCOPE_READ", "parley/v1/access.proto"],
    ["parley.v1.access", "parley/v1/access.proto"],
    ["buf.validate.field", "buf/validate/validate.proto"],
    ["google.protobuf.Timestamp", "google/protobuf/timestamp.proto"],
  ])("finds %s in %s", async (value, file) => {
    expect(filesOf((await ask({ case: "fileContainingSymbol", value }))[0])[0]).toBe(file);
  });

  test("finds extensions by number", async () => {
    const extensionNumber = 51733;
    const containingType = "google.protobuf.MethodOptions";
    const [file, numbers] = await ask(
      {
        case: "fileContainingExtension",
        value: { $typeName: "grpc.reflection.v1.ExtensionRequest", containingType, extensionNumber },
      },
      { case: "allExtensionNumbersOfType", value: containingType },
    );
    expect(filesOf(file)[0]).toBe("parley/v1/access.proto");
    expect(numbers).toMatchObject({
      case: "allExtensionNumbersResponse",
      value: { extensionNumber: [extensionNumber] },
    });
  });

  test("answers what it does not know, and goes on", async () => {
    const answers = await ask(
      { case: "fileContainingSymbol", value: "parley.v1.Nothing" },
      { case: "fileByFilename", value: "nothing.proto" },
      { case: "allExtensionNumbersOfType", value: "parley.v1.Nothing" },
      { case: "listServices", value: "" },
    );
    expect(answers.slice(0, 3)).toMatchObject(
      Array.from({ length: 3 }, () => ({ case: "errorResponse", value: { errorCode: Code.NotFound } })),
    );
    expect(answers[3]?.case).toBe("listServicesResponse");
  });

  test("v1alpha answers the same", async () => {
    const answers = [];
    for await (const answer of createClient(ServerReflectionAlpha, transport).serverReflectionInfo(askAlpha(), read))
      answers.push(answer);
    expect(answers).toMatchObject([{ messageResponse: { case: "fileDescriptorResponse" } }]);
  });

  test("needs a token", async () => {
    const stream = createClient(ServerReflection, transport).serverReflectionInfo((async function* () {})());
    await expect(stream[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: Code.Unauthenticated });
  });
});

describe("health", () => {
  test("says how each service is, without a token", async () => {
    const client = createClient(Health, transport);
    expect(await client.check({})).toMatchObject({ status: Status.NOT_SERVING });
    health.setServing(true);
    expect(await client.check({ service: "parley.v1.SessionService" })).toMatchObject({ status: Status.SERVING });
    await expect(client.check({ service: "no.Such" })).rejects.toMatchObject({ code: Code.NotFound });
    expect(Object.keys((await client.list({})).statuses)).toContain("parley.v1.EngineService");
  });

  test("tells watchers of changes, and ends with the engine", async () => {
    // Its own server: this one stops.
    const own = createHealthService([]);
    own.setServing(true);
    const started = await startTestServer({ routes: (router) => void router.service(Health, own.service) });
    const client = createClient(Health, createGrpcTransport({ baseUrl: started.url }));
    const watch = client.watch({})[Symbol.asyncIterator]();
    const unknown = client.watch({ service: "no.Such" })[Symbol.asyncIterator]();
    expect((await watch.next()).value).toMatchObject({ status: Status.SERVING });
    expect((await unknown.next()).value).toMatchObject({ status: Status.SERVICE_UNKNOWN });
    own.setServing(false);
    expect((await watch.next()).value).toMatchObject({ status: Status.NOT_SERVING });
    own.stop();
    await expect(watch.next()).rejects.toMatchObject({ code: Code.Unavailable });
    await expect(unknown.next()).rejects.toMatchObject({ code: Code.Unavailable });
    await started.close();
  });
});

const run = (command: string, args: readonly string[]): Promise<string> =>
  new Promise((resolve, reject) => {
    execFile(command, args, (error, stdout, stderr) =>
      error === null ? resolve(stdout) : reject(new Error(stderr, { cause: error })),
    );
  });

describe("clients without our protos", () => {
  const root = join(import.meta.dirname, "..");

  const token = "authorization: Bearer token-read";

  test.each([
    ["connect", []],
    ["connect", ["--http2-prior-knowledge"]],
    ["grpc", ["--http2-prior-knowledge"]],
    ["grpcweb", []],
    ["grpcweb", ["--http2-prior-knowledge"]],
    ["grpc", ["--http2-prior-knowledge", "--reflect-protocol", "grpc-v1alpha"]],
  ])("buf curl calls by reflection: %s %j", async (protocol, extra) => {
    const args = [
      "curl",
      "--protocol",
      protocol,
      ...extra,
      "--reflect-header",
      token,
      "-H",
      token,
      `${server.url}/parley.v1.EngineService/GetInfo`,
    ];
    expect(JSON.parse(await run(join(root, "node_modules/.bin/buf"), args))).toEqual({ version: "1.2.3" });
  });

  test("grpcurl lists, describes and calls", async (context) => {
    const grpcurl = await findGoTool("grpcurl");
    if (grpcurl === undefined) {
      if (process.env["CI"] === "true") throw new Error("grpcurl is missing");
      return context.skip("grpcurl is missing");
    }
    const host = new URL(server.url).host;
    const call = (...args: string[]) => run(grpcurl, ["-plaintext", "-H", token, host, ...args]);
    expect(await call("list")).toContain("parley.v1.MessageService");
    expect(await call("describe", "parley.v1.EngineService.GetInfo")).toContain("scope: SCOPE_READ");
    expect(JSON.parse(await call("parley.v1.EngineService/GetInfo"))).toEqual({ version: "1.2.3" });
  });
});

async function findGoTool(name: string): Promise<string | undefined> {
  try {
    const [bin = "", path = ""] = (await run("go", ["env", "GOBIN", "GOPATH"])).split("\n");
    const tool = join(bin || join(path, "bin"), name);
    return existsSync(tool) ? tool : undefined;
  } catch {
    return undefined;
  }
}
