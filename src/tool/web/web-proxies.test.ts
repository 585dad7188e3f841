import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startProxy, type TestProxy } from "../../../test/helpers/proxy.ts";
import { createFetchUrlTool } from "./fetch-url.ts";
import { publicWeb } from "./safe-fetch.ts";
import { createProxyRules } from "./web-proxies.ts";

const server = createServer((_request, response) =>
  response.writeHead(200, { "content-type": "text/plain" }).end("a page"),
);
let proxy: TestProxy;
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  proxy = await startProxy((server.address() as AddressInfo).port);
});
afterAll(async () => {
  await proxy.close();
  await new Promise((resolve) => server.close(resolve));
});

async function fetchUrl(url: string, mayUse: boolean): Promise<string> {
  const rules = createProxyRules({ http: proxy.url, https: proxy.url, exempt: "direct.test" }, mayUse);
  const web = { ...publicWeb, ...rules, resolve: () => Promise.reject(new Error("looked up")) };
  const tool = createFetchUrlTool({ web, version: "1", refusal: rules.refusal });
  const context = {
    sessionId: "ses_1",
    workspace: "/",
    turnId: "t",
    callId: "c",
    signal: new AbortController().signal,
  };
  return (await tool.run({ url }, context as never)).text;
}

it("nothing is fetched through a proxy unless that is allowed", async () => {
  await expect(fetchUrl("http://any.test/", false)).rejects.toThrow("--fetch-through-proxy");
  expect(proxy.asked).toEqual([]);
  expect(await fetchUrl("http://any.test/x", true)).toContain("a page");
  expect(proxy.asked).toEqual(["GET http://any.test/x"]);
});

it("an address is checked there too, and an exempt host is looked up and checked as ever", async () => {
  proxy.asked.length = 0;
  await expect(fetchUrl("http://169.254.169.254/", true)).rejects.toThrow("is not fetched from");
  await expect(fetchUrl("http://a.direct.test/", true)).rejects.toThrow("looked up");
  await expect(fetchUrl("http://direct.test/", false)).rejects.toThrow("looked up");
  expect(proxy.asked).toEqual([]);
});

it.each([
  ["a.test", "http://a.test/", true],
  ["a.test", "http://b.a.test/", true],
  [".a.test", "http://a.test/", true],
  ["*.a.test, c.test", "http://c.test/", true],
  ["*", "http://any.test/", true],
  ["a.test:8080", "http://a.test:8080/", true],
  ["a.test:443", "https://a.test/", true],
  ["A.TEST", "http://a.test./", true],
  ["a.test:8080", "http://a.test/", false],
  ["a.test", "http://ba.test/", false],
  ["a.test", "http://a.test.evil.test/", false],
  ["10.0.0.0/8", "http://10.0.0.1/", false],
  ["", "http://a.test/", false],
  [".", "http://a.test/", false],
])("an exemption %j of %s: %j", (exempt, url, isExempt) => {
  const rules = createProxyRules({ http: "http://proxy.test", https: "http://proxy.test", exempt }, false);
  expect(rules.proxyFor(new URL(url)) === undefined).toBe(isExempt);
  expect(rules.refusal(new URL(url)) === undefined).toBe(isExempt);
});

it("where there is no proxy everything is reached directly", () => {
  const rules = createProxyRules({ http: "", https: "http://proxy.test", exempt: "" }, false);
  expect(rules.proxyFor(new URL("http://a.test/"))).toBeUndefined();
  expect(rules.refusal(new URL("https://a.test/"))).toContain("proxy");
});
