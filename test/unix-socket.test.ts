import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import * as grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { afterEach, describe, expect, test } from "vitest";
import { createClient, followSession } from "../src/client/client.ts";
import { makeTempDir, startEngineProcess, startRefused, type EngineProcess } from "./helpers/engine-process.ts";
import { parley } from "./cli-process.ts";
import { findProgram, ROOT } from "./third-party/place.ts";
import { run, succeed } from "./third-party/programs.ts";

const curl = findProgram("curl");
const grpcurl = findProgram("grpcurl");

const engines: EngineProcess[] = [];
afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.kill();
});

interface Place {
  readonly engine: EngineProcess;
  readonly path: string;
}

async function start(path = join(makeTempDir("socket"), "engine.sock"), more: readonly string[] = []): Promise<Place> {
  const engine = await startEngineProcess({ listen: [`unix:${path}`], args: more });
  engines.push(engine);
  return { engine, path };
}

/** One call over a socket with any `Host`. */
function post(path: string, token: string, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { host, "content-type": "application/json", authorization: `Bearer ${token}` };
    const call = request(
      { socketPath: path, method: "POST", path: "/parley.v1.EngineService/GetInfo", headers, agent: false },
      (response) => {
        response.resume().once("end", () => resolve(response.statusCode ?? 0));
      },
    );
    call.once("error", reject);
    call.end("{}");
  });
}

/** A method as grpc-js makes it from a proto. */
type UnaryMethod = (
  request: object,
  metadata: grpc.Metadata,
  done: (error: Error | null, answer: { logEpoch: string }) => void,
) => void;

describe("an engine on a socket", () => {
  test("says where it is, lets only its owner reach it, and removes it at its end", async () => {
    const folder = join(makeTempDir("socket"), "made", "by-the-engine");
    const { engine, path } = await start(join(folder, "engine.sock"));
    expect(engine.url).toBe(`unix:${path}`);
    expect(JSON.parse(readFileSync(join(engine.dataDir, "engine.json"), "utf8"))).toMatchObject({
      url: `unix:${path}`,
      urls: [`unix:${path}`],
    });
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(await engine.stop()).toEqual({ code: 0, signal: null });
    expect(existsSync(path)).toBe(false);
  });

  test("serves our client, streams too, by URL and found by its data directory", async () => {
    const { engine } = await start();
    for (const options of [{ url: engine.url, token: engine.token }, { dataDir: engine.dataDir }]) {
      const client = createClient(options);
      const { session } = await client.sessions.createSession({ profile: "demo" });
      const sessionId = session!.id;
      await client.messages.startTurn({ sessionId, parts: [{ content: { case: "text", value: "echo: hi" } }] });
      for await (const item of followSession(client, { sessionId, afterSeq: 0n })) {
        if (item.kind === "event" && item.event.payload.case === "turnEnded") break;
      }
      expect(client.url).toBe(engine.url);
      client.close();
    }
  });

  test("serves the command line, by --url, by PARLEY_URL and found", async () => {
    const { engine, path } = await start();
    const ways = [
      await parley(["status", "--url", `unix:${path}`], "", { PARLEY_TOKEN: engine.token }),
      await parley(["status"], "", { PARLEY_TOKEN: engine.token, PARLEY_URL: `unix://${path}` }),
      await parley(["status", "--data-dir", engine.dataDir]),
    ];
    for (const { code, stdout } of ways) {
      expect(code).toBe(0);
      expect(stdout).toContain(`at unix:${path}`);
    }
  });

  test("that is not there, or that nobody listens on, is no broken connection", async () => {
    const { engine, path } = await start();
    await engine.kill();
    expect(existsSync(path)).toBe(true);
    for (const url of [`unix:${path}`, `unix:${path}.none`]) {
      const ended = await parley(["status", "--url", url], "", { PARLEY_TOKEN: engine.token });
      expect(ended).toMatchObject({ code: 3, stdout: "" });
      expect(ended.stderr).toMatch(/^parley: no engine answers \(nothing listens on unix:\S+\); start one .*\n$/);
    }
  });

  test("and on a port serves both at once", async () => {
    const path = join(makeTempDir("socket"), "engine.sock");
    const { engine } = await start(path, ["--port", "0"]);
    const { urls } = JSON.parse(readFileSync(join(engine.dataDir, "engine.json"), "utf8")) as { urls: string[] };
    expect(urls).toEqual([expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/), `unix:${path}`]);
    const clients = urls.map((url) => createClient({ url, token: engine.token }));
    const { session } = await clients[0]!.sessions.createSession({});
    const found = await clients[1]!.sessions.getSession({ sessionId: session!.id });
    expect(found.session?.id).toBe(session?.id);
    for (const client of clients) client.close();
  });

  test("takes any host name there, and a token still; on a port a foreign name is refused", async () => {
    const { engine, path } = await start(undefined, ["--port", "0"]);
    expect(await post(path, engine.token, "localhost")).toBe(200);
    expect(await post(path, engine.token, "engine.example")).toBe(200);
    expect(await post(path, "wrong", "localhost")).toBe(401);
    const answer = await run("curl", [
      "-s",
      "-o",
      "/dev/null",
      "-w",
      "%{http_code}",
      "-H",
      "Host: engine.example",
      engine.url,
    ]);
    expect(answer.stdout.toString()).toBe("421");
  });

  test.skipIf(curl === undefined)("serves curl over HTTP/1.1 and HTTP/2", async () => {
    const { engine, path } = await start();
    for (const version of ["--http1.1", "--http2-prior-knowledge"]) {
      const head = ["-s", version, "--unix-socket", path, "-H", `Authorization: Bearer ${engine.token}`];
      const body = ["-H", "Content-Type: application/json", "-d", "{}", "-w", " %{http_version}"];
      const url = "http://localhost/parley.v1.EngineService/GetInfo";
      const answer = await succeed(curl!, [...head, ...body, url]);
      expect(answer).toMatch(version === "--http1.1" ? /"logEpoch":.* 1\.1$/ : /"logEpoch":.* 2$/);
    }
  });

  test("serves grpc-js", async () => {
    const { engine, path } = await start();
    const loaded = grpc.loadPackageDefinition(
      loadSync("parley/v1/engine_service.proto", { includeDirs: [join(ROOT, "proto")], keepCase: false }),
    ) as unknown as { parley: { v1: { EngineService: grpc.ServiceClientConstructor } } };
    const client = new loaded.parley.v1.EngineService(`unix:${path}`, grpc.credentials.createInsecure());
    const methods = client as unknown as Record<string, UnaryMethod>;
    const metadata = new grpc.Metadata();
    metadata.set("authorization", `Bearer ${engine.token}`);
    const info = await new Promise<{ logEpoch: string }>((resolve, reject) => {
      methods["getInfo"]!({}, metadata, (error, answer) => (error === null ? resolve(answer) : reject(error)));
    });
    expect(info.logEpoch).not.toBe("");
    client.close();
  });

  test.skipIf(grpcurl === undefined)("serves grpcurl", async () => {
    const { engine, path } = await start();
    const args = ["-plaintext", "-unix", "-H", `authorization: Bearer ${engine.token}`, path];
    expect(await succeed(grpcurl!, [...args, "list"])).toContain("parley.v1.EngineService");
    expect(await succeed(grpcurl!, [...args, "parley.v1.EngineService/GetInfo"])).toContain("logEpoch");
  });
});

describe("a path that is taken", () => {
  test("by a dead engine's socket is taken over", async () => {
    const { engine, path } = await start();
    await engine.kill();
    expect(existsSync(path)).toBe(true);
    const next = await start(path);
    expect(await post(path, next.engine.token, "localhost")).toBe(200);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  test("by a living engine is refused, and that one serves on", async () => {
    const { engine, path } = await start();
    const refused = await startRefused({ listen: [`unix:${path}`] });
    expect(refused.stderr).toMatch(/somebody listens on .* already; stop that engine, or name another path/);
    expect(await post(path, engine.token, "localhost")).toBe(200);
  });

  test("by a file is refused, and the file stays", async () => {
    const path = join(makeTempDir("socket"), "notes.txt");
    writeFileSync(path, "keep me");
    const refused = await startRefused({ listen: [`unix:${path}`] });
    expect(refused.stderr).toMatch(/is there already and is no socket/);
    expect(readFileSync(path, "utf8")).toBe("keep me");
  });
});

describe("a folder", () => {
  test("that others can enter is refused, and is left as it is", async () => {
    const folder = join(makeTempDir("socket"), "open");
    mkdirSync(folder);
    chmodSync(folder, 0o755);
    const refused = await startRefused({ listen: [`unix:${join(folder, "engine.sock")}`] });
    expect(refused.stderr).toMatch(/other users can get into .*; name one in a folder of your own/);
    expect(statSync(folder).mode & 0o777).toBe(0o755);
    chmodSync(folder, 0o700);
    await start(join(folder, "engine.sock"));
  });

  test("that cannot be made is refused in one line", async () => {
    const file = join(makeTempDir("socket"), "file");
    writeFileSync(file, "");
    const refused = await startRefused({ listen: [`unix:${file}/engine.sock`] });
    expect(refused.stderr).toMatch(/^parley: .*ENOTDIR.*--listen\n$/);
  });
});
