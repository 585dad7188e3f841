import { expect, test } from "vitest";
import { createFakeClock } from "../../test/helpers/fake-clock.ts";
import { createModelCache, type ModelConfig } from "./model-cache.ts";

const CONFIG: ModelConfig = { provider: "openai_chat", baseUrl: "http://a/v1", apiKey: "k" };
const IDLE_MS = 5 * 60_000;

function setUp() {
  const clock = createFakeClock();
  const created: ModelConfig[] = [];
  const closed: ModelConfig[] = [];
  const cache = createModelCache(clock, (config) => {
    created.push(config);
    return { stream: () => (async function* () {})(), close: async () => void closed.push(config) };
  });
  return { clock, cache, created, closed };
}

test("equal configurations share a client; any difference makes another", () => {
  const { cache, created } = setUp();
  const { model } = cache.acquire(CONFIG);
  expect(cache.acquire({ ...CONFIG }).model).toBe(model);
  for (const other of [
    { apiKey: "l" },
    { apiKey: undefined },
    { baseUrl: "http://b/v1" },
    { provider: "demo" as const },
  ]) {
    expect(cache.acquire({ ...CONFIG, ...other }).model).not.toBe(model);
  }
  expect(created).toHaveLength(5);
});

test("a client that nobody uses is closed after five minutes", async () => {
  const { clock, cache, closed, created } = setUp();
  const a = cache.acquire(CONFIG);
  const b = cache.acquire(CONFIG);
  a.release();
  a.release();
  await clock.advance(IDLE_MS);
  expect(closed).toEqual([]);
  b.release();
  await clock.advance(IDLE_MS - 1);
  expect(closed).toEqual([]);
  await clock.advance(1);
  expect(closed).toEqual([CONFIG]);
  cache.acquire(CONFIG);
  expect(created).toHaveLength(2);
});

test("a client that is used again in time stays", async () => {
  const { clock, cache, closed } = setUp();
  cache.acquire(CONFIG).release();
  await clock.advance(IDLE_MS - 1);
  const { release } = cache.acquire(CONFIG);
  await clock.advance(IDLE_MS);
  expect(closed).toEqual([]);
  release();
  expect(clock.timers()).toBe(1);
});

test("closing closes every client, used or not, and leaves no timer", async () => {
  const { clock, cache, closed } = setUp();
  const used = cache.acquire(CONFIG);
  cache.acquire({ ...CONFIG, apiKey: "l" }).release();
  await cache.close();
  expect(closed).toHaveLength(2);
  used.release();
  expect(clock.timers()).toBe(0);
  expect(() => cache.acquire(CONFIG)).toThrow("the engine is stopping");
});
