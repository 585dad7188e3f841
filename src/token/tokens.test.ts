import { afterEach, expect, test } from "vitest";
import { createFakeClock } from "../../test/helpers/fake-clock.ts";
import { newId } from "../id.ts";
import type { Database } from "../store/database.ts";
import { openSqlite } from "../store/sqlite.ts";
import { hashSecret, type Scope } from "./token.ts";
import { openTokens, type Tokens } from "./tokens.ts";

const HOUR_MS = 60 * 60_000;
const YEAR_MS = 365 * 24 * HOUR_MS;

const closers: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function setUp(db = openSqlite(":memory:"), clock = createFakeClock()) {
  const tokens = await openTokens(db, clock, newId);
  closers.push(tokens.close, () => db.close());
  const make = (name: string, lifetimeMs?: number, scope: Scope = "read") =>
    tokens.create({ name, scope, lifetimeMs, actor: "admin" });
  return { db, clock, tokens, make };
}

const find = (tokens: Tokens, secret: string) => tokens.find(hashSecret(secret));

async function rowsOf(db: Database): Promise<string> {
  return JSON.stringify(await db.all({ sql: "SELECT * FROM tokens", params: [] }));
}

test("a secret is found with its name and scope, and nothing that is close to it", async () => {
  const { tokens, make } = await setUp();
  const { token, secret } = await make("ci", undefined, "operate");
  expect(secret).toMatch(/^parley_[\w-]{43}$/);
  expect(token.id).toMatch(/^tok_/);
  expect(find(tokens, secret)).toMatchObject({ name: "ci", scope: "operate" });
  for (const other of ["", secret.slice(0, -1), `${secret}x`, secret.toUpperCase(), secret.slice(7)]) {
    expect(find(tokens, other)).toBeUndefined();
  }
});

test("two secrets are never the same, and none is stored", async () => {
  const { db, make } = await setUp();
  const made = await Promise.all(Array.from({ length: 20 }, (_, i) => make(`t${i}`)));
  expect(new Set(made.map(({ secret }) => secret)).size).toBe(20);
  const stored = await rowsOf(db);
  for (const { secret } of made) expect(stored).not.toContain(secret.slice(7));
});

test("a name belongs to one living token, whatever its case, also of many made at once", async () => {
  const { make } = await setUp();
  const taken = { code: "already_exists", reason: "TOKEN_NAME_TAKEN" };
  const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => make("one")));
  expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  await expect(make("ONE")).rejects.toMatchObject(taken);
  await expect(make("admin")).rejects.toMatchObject(taken);
  await expect(make("Admin")).rejects.toMatchObject(taken);
});

test("a revoked token opens nothing, gives its name back, and can be revoked once", async () => {
  const { tokens, make } = await setUp();
  const { token, secret } = await make("ci");
  const ended = find(tokens, secret)!.ended!;
  expect(ended.aborted).toBe(false);
  await tokens.revoke(token.id, "admin");
  expect(ended.reason).toMatchObject({ code: "unauthenticated", reason: "TOKEN_REVOKED", metadata: { token: "ci" } });
  expect(find(tokens, secret)).toBeUndefined();
  const again = await Promise.allSettled([
    tokens.revoke(token.id, "admin"),
    tokens.revoke("tok_none", "admin"),
    tokens.revoke("", "admin"),
  ]);
  for (const outcome of again) expect(outcome).toMatchObject({ reason: { reason: "TOKEN_NOT_FOUND" } });
  const { secret: next } = await make("ci");
  expect(find(tokens, next)).toMatchObject({ name: "ci" });
});

test("a token ends on time, to the millisecond, for calls and for what is open", async () => {
  const { clock, tokens, make } = await setUp();
  const { secret } = await make("short", 90_000);
  const { ended } = find(tokens, secret)!;
  await clock.advance(89_999);
  expect(find(tokens, secret)).toBeDefined();
  expect(ended!.aborted).toBe(false);
  await clock.advance(1);
  expect(ended!.reason).toMatchObject({ reason: "TOKEN_REVOKED" });
  expect(find(tokens, secret)).toBeUndefined();
  expect(await tokens.list(undefined, 10)).toEqual([]);
  expect(clock.timers()).toBe(0);
});

test("a call after the wall clock was set forward is refused before any timer is due", async () => {
  const clock = createFakeClock();
  let jumpMs = 0;
  const { tokens, make } = await setUp(undefined, { ...clock, now: () => clock.now() + jumpMs });
  const { secret } = await make("short", YEAR_MS);
  const { ended } = find(tokens, secret)!;
  jumpMs = YEAR_MS;
  expect(find(tokens, secret)).toBeUndefined();
  expect(ended!.aborted).toBe(true);
});

test("ten years are waited for, and no timer is longer than an hour", async () => {
  const clock = createFakeClock();
  const delays: number[] = [];
  const { tokens, make } = await setUp(undefined, {
    ...clock,
    after: (delayMs, callback) => (delays.push(delayMs), clock.after(delayMs, callback)),
  });
  const { secret } = await make("long", 10 * YEAR_MS);
  await clock.advance(30 * 24 * HOUR_MS);
  expect(find(tokens, secret)).toBeDefined();
  expect(Math.max(...delays)).toBe(HOUR_MS);
});

test("an expired name is free at once, and its row goes with the sweep", async () => {
  const { db, clock, tokens, make } = await setUp();
  await make("a", 1000);
  await make("b", 1000);
  await make("c");
  await clock.advance(1000);
  await expect(make("a")).resolves.toBeDefined();
  expect((await tokens.list(undefined, 10)).map(({ name }) => name)).toEqual(["a", "c"]);
  expect(await rowsOf(db)).toContain('"b"');
  await tokens.sweep();
  expect(await rowsOf(db)).not.toContain('"b"');
});

test("after a restart the living ones open the engine, with the time that is left to them", async () => {
  const { db, clock, tokens, make } = await setUp();
  const living = await make("living", HOUR_MS, "admin");
  const expired = await make("expired", 1000);
  const revoked = await make("revoked");
  await tokens.revoke(revoked.token.id, "admin");
  await clock.advance(2000);
  tokens.close();
  const { tokens: again } = await setUp(db, clock);
  expect(find(again, living.secret)).toMatchObject({ name: "living", scope: "admin" });
  expect([expired, revoked].map(({ secret }) => find(again, secret))).toEqual([undefined, undefined]);
  await clock.advance(HOUR_MS - 2000);
  expect(find(again, living.secret)).toBeUndefined();
});

test("a token that could not be stored opens nothing", async () => {
  const { db, clock } = await setUp();
  const full = new Error("the disk is full");
  const tokens = await openTokens({ ...db, transact: () => Promise.reject(full) }, clock, newId);
  await expect(tokens.create({ name: "a", scope: "read", lifetimeMs: 1000, actor: "admin" })).rejects.toBe(full);
  expect(clock.timers()).toBe(0);
});
