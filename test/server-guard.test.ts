import { afterEach, describe, expect, test } from "vitest";
import { createJudge, type RequestHead, type Verdict } from "../src/server/guard.ts";
import { fetchHttp1, fetchHttp2, type RawRequest } from "./helpers/raw-http.ts";
import { startTestServer, type TestServer, type TestServerOptions } from "./helpers/raw-server.ts";

const PATH = "/parley.v1.EngineService/GetInfo";
const guard = { host: "127.0.0.1", allowHosts: ["engine.example"], allowOrigins: ["https://app.example"] };

let server: TestServer | undefined;
afterEach(() => server?.close());

async function start(options: TestServerOptions = {}): Promise<TestServer> {
  return (server = await startTestServer(options));
}

function call(extra: Readonly<Record<string, string>>): RawRequest {
  return {
    path: PATH,
    body: "{}",
    headers: { "content-type": "application/json", authorization: "Bearer token-read", ...extra },
  };
}

function judged(head: Partial<RequestHead>): Verdict {
  return createJudge(guard)({
    method: "POST",
    target: PATH,
    authorities: ["localhost:7433"],
    origin: undefined,
    fetchSite: undefined,
    corsMethod: undefined,
    corsPrivateNetwork: undefined,
    ...head,
  });
}

describe("the judge", () => {
  // Data, so that the list grows.
  const ALLOWED = [
    "localhost",
    "LOCALHOST:1",
    "127.0.0.1:7433",
    "127.8.9.1",
    "[::1]:7433",
    "engine.example",
    "engine.example:443",
  ];
  const REFUSED = [
    "evil.example",
    "localhost.evil.example",
    "127.0.0.1.evil.example:7433",
    "127.0.0.256",
    "127.1",
    "0.0.0.0",
    "[::]",
    "[::ffff:127.0.0.1]",
    "localhost:7433@evil.example",
    "localhost, evil.example",
    "localhost:port",
    "",
    "10.0.0.1",
  ];
  test.each(ALLOWED)("lets host %j in", (authority) => expect(judged({ authorities: [authority] }).kind).toBe("pass"));
  test.each(REFUSED)("keeps host %j out", (authority) =>
    expect(judged({ authorities: [authority] })).toMatchObject({ kind: "refuse", status: 421 }),
  );

  test("wants a host, and every one that was sent to be allowed", () => {
    expect(judged({ authorities: [] })).toMatchObject({ status: 421 });
    expect(judged({ authorities: ["localhost", "evil.example"] })).toMatchObject({ status: 421 });
  });

  const ORIGINS: readonly (readonly [string, string, "pass" | "refuse"])[] = [
    ["http://localhost:7433", "localhost:7433", "pass"],
    ["https://app.example", "localhost:7433", "pass"],
    ["http://localhost:3000", "localhost:7433", "refuse"],
    ["http://127.0.0.1:7433", "localhost:7433", "refuse"],
    ["https://evil.example", "localhost:7433", "refuse"],
    ["https://app.example:444", "localhost:7433", "refuse"],
    ["http://app.example", "localhost:7433", "refuse"],
    ["https://app.example.evil.example", "localhost:7433", "refuse"],
    ["null", "localhost:7433", "refuse"],
    ["", "localhost:7433", "refuse"],
  ];
  test.each(ORIGINS)("origin %j at host %j: %s", (origin, authority, kind) =>
    expect(judged({ origin, authorities: [authority] }).kind).toBe(kind),
  );

  test("refuses cross-site requests without an origin, and lets allowed origins be cross-site", () => {
    expect(judged({ fetchSite: "cross-site" })).toMatchObject({ kind: "refuse", status: 403 });
    expect(judged({ fetchSite: "cross-site", origin: "https://app.example" }).kind).toBe("pass");
    expect(judged({ fetchSite: "same-origin" }).kind).toBe("pass");
  });

  test("is no proxy", () => {
    expect(judged({ target: "http://evil.example/" })).toMatchObject({ kind: "refuse", status: 400 });
  });

  test.each(["*", "null", "https://app.example/", "app.example", "HTTPS://app.example"])(
    "refuses to be given origin %j",
    (origin) => {
      expect(() => createJudge({ ...guard, allowOrigins: [origin] })).toThrow("must be one exact origin");
    },
  );
});

describe.each([
  ["HTTP/1.1", fetchHttp1],
  ["HTTP/2", fetchHttp2],
])("over %s", (_name, ask) => {
  const ATTACKS: readonly (readonly [string, Record<string, string>, number])[] = [
    ["a host that DNS points here (rebinding)", { host: "evil.example:7433" }, 421],
    ["a page of another site", { origin: "https://evil.example" }, 403],
    ["a page of another port", { origin: "http://localhost:1" }, 403],
    ["a cross-site request without origin", { "sec-fetch-site": "cross-site" }, 403],
  ];
  test.each(ATTACKS)("refuses %s", async (_attack, headers, status) => {
    const { url } = await start();
    expect((await ask(url, call(headers))).status).toBe(status);
  });

  test.each(ATTACKS)("control: without the guard %s is served", async (_attack, headers) => {
    const { url } = await start({ judge: () => ({ kind: "pass", headers: undefined }) });
    expect((await ask(url, call(headers))).status).toBe(200);
  });

  test("answers a preflight of an allowed origin exactly, and of no other", async () => {
    const { url } = await start();
    const preflight = (origin: string) =>
      ask(url, {
        method: "OPTIONS",
        path: PATH,
        headers: { origin, "access-control-request-method": "POST", "access-control-request-private-network": "true" },
      });
    const allowed = await preflight("https://app.example");
    expect(allowed).toMatchObject({ status: 204, body: "" });
    expect(allowed.headers).toMatchObject({
      "access-control-allow-origin": "https://app.example",
      "access-control-allow-private-network": "true",
      vary: "Origin",
    });
    expect(allowed.headers["access-control-allow-headers"]).toContain("Authorization");
    expect(allowed.headers["access-control-allow-headers"]).toContain("Connect-Protocol-Version");
    const refused = await preflight("https://evil.example");
    expect(refused.status).toBe(403);
    expect(refused.headers["access-control-allow-origin"]).toBeUndefined();
  });

  test("lets an allowed origin read the answer, its errors too", async () => {
    const { url } = await start();
    for (const authorization of ["Bearer token-read", "Bearer wrong"]) {
      const { headers } = await ask(url, call({ origin: "https://app.example", authorization }));
      expect(headers["access-control-allow-origin"]).toBe("https://app.example");
      expect(headers["access-control-expose-headers"]).toContain("Grpc-Status");
    }
  });
});
