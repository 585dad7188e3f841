import { afterEach, expect, test } from "vitest";
import { collect, textOf } from "../../../test/helpers/collect.ts";
import { requestOf } from "../../../test/helpers/model-request.ts";
import { startProxy } from "../../../test/helpers/proxy.ts";
import { chunk, DONE, openStream, startUpstream } from "../../../test/helpers/upstream.ts";
import { createOpenaiChatModel } from "./openai-chat.ts";
import { NO_PROXIES, type Proxies } from "./proxies.ts";

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function setUp() {
  const upstream = await startUpstream((response) => {
    openStream(response);
    response.end(chunk({ content: "hello" }) + chunk({}, "stop") + DONE);
  });
  const proxy = await startProxy(Number(new URL(upstream.baseUrl).port));
  closers.push(upstream.stop, proxy.close);
  return { upstream, proxy };
}

/** What a provider at this URL says, or why it does not. */
async function ask(baseUrl: string, proxies: Partial<Proxies>): Promise<string> {
  const model = createOpenaiChatModel({ baseUrl, apiKey: "sk-1", proxies: { ...NO_PROXIES, ...proxies } });
  closers.push(() => model.close());
  const { events, error } = await collect(model.stream(requestOf("hi"), new AbortController().signal));
  return error instanceof Error ? error.message : textOf(events);
}

test("a provider is called through the proxy, whose name and password go to the proxy alone", async () => {
  const { upstream, proxy } = await setUp();
  const http = proxy.url.replace("//", "//name:secret@");
  expect(await ask("http://provider.test/v1", { http })).toBe("hello");
  expect(proxy.asked).toEqual(["POST http://provider.test/v1/chat/completions"]);
  expect(proxy.authorizations).toEqual([`Basic ${Buffer.from("name:secret").toString("base64")}`]);
  expect(upstream.requests[0]?.headers.authorization).toBe("Bearer sk-1");
});

test("this machine and exempt hosts are called directly", async () => {
  const { upstream, proxy } = await setUp();
  const { port } = new URL(upstream.baseUrl);
  for (const host of ["127.0.0.1", "localhost"]) {
    expect(await ask(`http://${host}:${port}/v1`, { http: proxy.url })).toBe("hello");
  }
  expect(await ask("http://provider.test/v1", { http: proxy.url, exempt: ".test" })).toMatch(/^cannot reach/);
  expect(proxy.asked).toEqual([]);
});

test("the proxy for the other kind of URL is not used", async () => {
  const { proxy } = await setUp();
  expect(await ask("http://provider.test/v1", { https: proxy.url })).toMatch(/^cannot reach provider.test/);
  expect(proxy.asked).toEqual([]);
});

test("a proxy that is away or refuses is told as such, without its password", async () => {
  const { upstream, proxy } = await setUp();
  await proxy.close();
  const away = await ask("http://provider.test/v1", { http: proxy.url.replace("//", "//name:secret@") });
  expect(away).toBe("cannot reach provider.test (ECONNREFUSED)");
  // A server that makes no tunnels.
  const https = upstream.baseUrl.replace("//", "//name:secret@");
  const refused = await ask("https://provider.test/v1", { https });
  expect(refused).toMatch(/^cannot reach provider.test \(\w+\)$/);
});
