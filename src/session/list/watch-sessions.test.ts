import { GIVEN_WORKSPACES } from "../../../test/helpers/given-workspaces.ts";
import { tmpdir } from "node:os";
import { afterEach, expect, test } from "vitest";
import { createFakeClock } from "../../../test/helpers/fake-clock.ts";
import { createEventLog } from "../../event/event-log.ts";
import { type CaughtUp, watchTopics } from "../../event/watch-topics.ts";
import { newId } from "../../id.ts";
import { createIdempotency } from "../../idempotency/idempotency.ts";
import { createProfiles } from "../../profile/profile.ts";
import type { Database } from "../../store/database.ts";
import { openSqlite } from "../../store/sqlite.ts";
import { DEFAULT_LIMITS } from "../../turn/turn.ts";
import { createSession } from "../create-session.ts";
import { listSessions, type SessionFilter } from "./list-sessions.ts";
import { sweepTombstones } from "../session-changes.ts";
import { createSessionFeed } from "./session-feed.ts";
import {
  addSessionUsage,
  getSession,
  removeSession,
  setIdle,
  setRunning,
  type StoredSession,
} from "../session-store.ts";
import type { SessionSettings } from "../session.ts";
import { updateSession } from "../update-session.ts";
import { sessionTopic, type WatchedSession } from "./watch-sessions.ts";

const ANY: SessionFilter = { query: "", labels: {}, states: [], starred: undefined, workspace: "", profile: "" };
const SETTINGS: SessionSettings = {
  title: "",
  profile: "p",
  model: "",
  systemPrompt: "",
  workspace: "",
  labels: {},
  limits: DEFAULT_LIMITS,
  starred: false,
  resumeAfterRestart: false,
  retryPartial: false,
  approvalMode: "default",
};
const NO_USAGE = { inputTokens: 0, outputTokens: 0, reasoningTokens: 0, cachedInputTokens: 0, modelCalls: 0 };
const HOUR_MS = 60 * 60_000;

const closers: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

function setUp(wrap: (db: Database) => Database = (db) => db) {
  const clock = createFakeClock();
  const db = wrap(openSqlite(":memory:", clock));
  const log = createEventLog(db, (payload) => Buffer.from(JSON.stringify(payload)), clock);
  const feed = createSessionFeed(db);
  const profiles = ["p", "q"].map(
    (name) => ({ name, provider: "demo", model: "m", baseUrl: "", apiKey: undefined, description: "" }) as const,
  );
  const idempotency = createIdempotency(db, clock);
  const deps = {
    db,
    clock,
    log,
    newId,
    profiles: createProfiles(profiles, "p"),
    idempotency,
    workspaces: GIVEN_WORKSPACES,
  };
  closers.push(
    feed.close,
    () => log.close(),
    () => db.close(),
  );
  const get = (id: string) => getSession(db, id);
  return {
    ...deps,
    feed,
    get,
    create: (settings: Partial<SessionSettings> = {}) =>
      createSession(deps, { idempotencyKey: "", settings: { ...SETTINGS, ...settings } }),
    update: (sessionId: string, changes: Partial<SessionSettings>) =>
      updateSession(deps, { sessionId, changes, actor: "" }),
    remove: async (id: string) => {
      await db.transact(removeSession(await get(id), clock.now()));
      log.remove(id);
    },
    watch: (filter: Partial<SessionFilter> = {}, limit = 500) => {
      const controller = new AbortController();
      const topic = sessionTopic({ db, feed }, { filter: { ...ANY, ...filter }, limit });
      const stream = watchTopics({ feed, clock }, [topic], controller.signal);
      closers.unshift(() => controller.abort());
      return createWatcher(stream, controller);
    },
    list: (filter: Partial<SessionFilter> = {}) =>
      listSessions(db, {
        filter: { ...ANY, ...filter },
        order: "create_desc",
        after: undefined,
        limit: 100_000,
        maxBytes: Number.MAX_SAFE_INTEGER,
      }),
  };
}

/** A client: reads item by item, and keeps a picture of what it was told. */
function createWatcher(
  stream: AsyncGenerator<readonly (WatchedSession | CaughtUp)[], never>,
  controller: AbortController,
) {
  const picture = new Map<string, StoredSession>();
  const told: string[] = [];
  let hasMore = false;
  const take = (item: WatchedSession | CaughtUp): void => {
    if (item.kind === "session") {
      told.push(`${item.session.id} ${item.session.title}`);
      picture.set(item.session.id, item.session);
    } else if (item.kind === "gone") {
      told.push(`${item.id} gone`);
      picture.delete(item.id);
    } else {
      told.push("caught up");
      ({ hasMore } = item);
    }
  };
  const read = async (): Promise<void> => {
    const { value } = await stream.next();
    for (const item of value) take(item);
  };
  return {
    picture,
    told,
    read,
    hasMore: () => hasMore,
    begin: async () => {
      do await read();
      while (told.at(-1) !== "caught up");
      return told.splice(0);
    },
    /** Reads what is there, and tells it. */
    next: async () => {
      await read();
      return told.splice(0);
    },
    /** Reads for ever. */
    follow: async () => {
      for (;;) await read();
    },
    leave: async () => {
      controller.abort();
      await stream.return(undefined as never);
    },
  };
}

test("begins with the newest that match, then says so, then tells each change whole", async () => {
  const it = setUp();
  const ids: string[] = [];
  for (const title of ["a", "b", "c"]) ids.push((await it.create({ title })).id);
  const [a, b, c] = ids as [string, string, string];
  const watcher = it.watch();
  expect(await watcher.begin()).toEqual([`${c} c`, `${b} b`, `${a} a`, "caught up"]);
  await it.update(b, { title: "B" });
  expect(await watcher.next()).toEqual([`${b} B`]);
  const { id: d } = await it.create({ title: "d" });
  expect(await watcher.next()).toEqual([`${d} d`]);
  await it.remove(a);
  expect(await watcher.next()).toEqual([`${a} gone`]);
  expect(watcher.picture.get(b)).toEqual(await it.get(b));
});

test("begins with as many as asked for, and tells that there are more", async () => {
  const it = setUp();
  for (let i = 0; i < 5; i++) await it.create({ title: String(i) });
  for (const [limit, hasMore] of [
    [4, true],
    [5, false],
    [6, false],
  ] as const) {
    const watcher = it.watch({}, limit);
    const told = await watcher.begin();
    expect([told.length, watcher.hasMore()]).toEqual([Math.min(limit, 5) + 1, hasMore]);
  }
});

test("pages of large sessions lose none and double none", async () => {
  const it = setUp();
  for (let i = 0; i < 30; i++) await it.create({ systemPrompt: "x".repeat(30_000) });
  const watcher = it.watch();
  const told = await watcher.begin();
  expect([told.length, new Set(told).size]).toEqual([31, 31]);
  for (const id of watcher.picture.keys()) await it.update(id, { title: "changed" });
  const changed: string[] = [];
  while (changed.length < 30) changed.push(...(await watcher.next()));
  expect(new Set(changed).size).toBe(30);
});

test("what no longer matches is told gone, once; what never did is not told at all", async () => {
  const it = setUp();
  const { id: starred } = await it.create({ title: "s", starred: true });
  const { id: other } = await it.create({ title: "o" });
  const watcher = it.watch({ starred: true });
  expect(await watcher.begin()).toEqual([`${starred} s`, "caught up"]);
  await it.update(other, { title: "o2" });
  await it.update(starred, { starred: false });
  expect(await watcher.next()).toEqual([`${starred} gone`]);
  await it.update(starred, { title: "s2" });
  await it.remove(starred);
  await it.remove(other);
  const { id: next } = await it.create({ title: "n", starred: true });
  expect(await watcher.next()).toEqual([`${next} n`]);
  await it.update(next, { starred: false });
  expect(await watcher.next()).toEqual([`${next} gone`]);
  await it.update(next, { starred: true });
  expect(await watcher.next()).toEqual([`${next} n`]);
});

test("one that was not among the first may be known from a list: it is told gone, once", async () => {
  const it = setUp();
  const { id: old } = await it.create({ title: "old" });
  const { id: older } = await it.create({ title: "older" });
  const { id: newest } = await it.create({ title: "newest" });
  const watcher = it.watch({ starred: false }, 1);
  expect(await watcher.begin()).toEqual([`${newest} newest`, "caught up"]);
  await it.update(old, { starred: true });
  expect(await watcher.next()).toEqual([`${old} gone`]);
  await it.update(old, { title: "still" });
  await it.remove(old);
  await it.remove(older);
  expect(await watcher.next()).toEqual([`${older} gone`]);
  // Made and gone since: never shown.
  const { id: brief } = await it.create({ starred: true });
  await it.remove(brief);
  await it.remove(newest);
  expect(await watcher.next()).toEqual([`${newest} gone`]);
});

test.each<[string, Partial<SessionFilter>, Partial<SessionSettings>]>([
  ["labels", { labels: { team: "a", x: "" } }, { labels: { team: "a", x: "", y: "1" } }],
  ["a star", { starred: true }, { starred: true }],
  ["no star", { starred: false }, { starred: false, title: "x" }],
  ["a workspace", { workspace: "/" }, { workspace: "/" }],
  ["a profile", { profile: "q" }, { profile: "q" }],
  ["a state", { states: ["idle"] }, { title: "idle" }],
])("a filter by %s means what it means in lists", async (_what, filter, settings) => {
  const it = setUp();
  const watcher = it.watch(filter);
  await watcher.begin();
  await it.create(settings);
  await it.create({ labels: { team: "b" }, starred: filter.starred === false, profile: "p", workspace: tmpdir() });
  await watcher.next();
  const listed = await it.list(filter);
  expect(listed.length).toBeGreaterThan(0);
  expect([...watcher.picture.keys()].toSorted()).toEqual(listed.map(({ id }) => id).toSorted());
});

test("a reader that is behind gets one item of a session that changed a hundred times", async () => {
  const it = setUp();
  const { id } = await it.create();
  const watcher = it.watch();
  await watcher.begin();
  for (let i = 1; i <= 100; i++) await it.update(id, { title: String(i) });
  const { id: brief } = await it.create();
  await it.remove(brief);
  expect(await watcher.next()).toEqual([`${id} 100`]);
});

function rowOf({ id, revision, title, starred }: StoredSession): string {
  return JSON.stringify([id, revision, title, starred]);
}

test("what changes while the first ones are told is told after them", async () => {
  const it = setUp();
  for (let i = 0; i < 450; i++) await it.create({ title: String(i), starred: true });
  const all = (await it.list()).map(({ id }) => id);
  const watcher = it.watch({ starred: true });
  await watcher.read();
  expect(watcher.picture.size).toBe(200);
  // Among those that were told and among those that are still to come.
  for (const id of [all[3], all[300]]) await it.update(id!, { starred: false });
  for (const id of [all[4], all[301]]) await it.remove(id!);
  for (const id of [all[5], all[302]]) await it.update(id!, { title: "changed" });
  await it.create({ title: "new", starred: true });
  await watcher.begin();
  await watcher.next();
  const listed = await it.list({ starred: true });
  expect([...watcher.picture.values()].map(rowOf).toSorted()).toEqual(listed.map(rowOf).toSorted());
});

test("after 15 seconds without an item it says that it lives, whatever happens to sessions that do not match", async () => {
  const it = setUp();
  const { id } = await it.create();
  const watcher = it.watch({ starred: true });
  await watcher.begin();
  for (let beats = 1; beats <= 2; beats++) {
    let hasCome = false;
    const next = watcher.next().finally(() => (hasCome = true));
    for (let i = 0; i < 14; i++) {
      await it.clock.advance(1000);
      await it.update(id, { title: `${beats} ${i}` });
    }
    await it.clock.advance(999);
    expect(hasCome).toBe(false);
    await it.clock.advance(1);
    expect(await next).toEqual(["caught up"]);
  }
});

test("who leaves, by its signal or by the end of its stream, leaves nothing behind", async () => {
  const it = setUp();
  const waiting = it.watch();
  await waiting.begin();
  const next = waiting.read();
  const pausing = it.watch();
  await pausing.begin();
  expect(it.feed.readerCount()).toBe(2);
  await Promise.all([expect(next).rejects.toThrow("aborted"), waiting.leave()]);
  await pausing.leave();
  expect(it.feed.readerCount()).toBe(0);
  expect(it.clock.timers()).toBe(0);
});

test("an engine that stops ends all watches, and later ones at once", async () => {
  const it = setUp();
  const watcher = it.watch();
  await watcher.begin();
  const stopping = new Error("stopping");
  const next = watcher.read();
  it.feed.stopReaders(stopping);
  await expect(next).rejects.toBe(stopping);
  await expect(it.watch().begin()).rejects.toBe(stopping);
  expect(it.feed.readerCount()).toBe(0);
});

test("text and the end of a log alone are no changes", async () => {
  const it = setUp();
  const { id } = await it.create();
  let rings = 0;
  it.db.onRevision(() => rings++);
  const { revision } = await it.feed.position();
  const delta = { kind: "text", messageId: "m", text: "word " } as const;
  await it.log.append(id, { turnId: "t", events: [{ kind: "step_started", step: 1, model: "m" }], delta });
  for (let i = 0; i < 10; i++) {
    it.log.addDelta(id, "t", delta);
    await it.clock.advance(15);
  }
  expect(await it.log.end(id)).toBeGreaterThan(5);
  expect([rings, (await it.feed.position()).revision]).toEqual([0, revision]);
  await it.update(id, { title: "t" });
  expect(rings).toBe(1);
});

test("removals are forgotten after an hour; who has read nothing since before is told to begin again", async () => {
  const it = setUp();
  const ids = await Promise.all(Array.from({ length: 3 }, async () => (await it.create()).id));
  const behind = it.watch();
  const beside = it.watch();
  await behind.begin();
  await beside.begin();
  for (const id of ids.slice(1)) {
    await it.remove(id);
    await beside.next();
  }
  await it.clock.advance(HOUR_MS - 1);
  await sweepTombstones(it.db, it.clock.now());
  const late = it.watch();
  await late.begin();
  await it.clock.advance(1);
  await sweepTombstones(it.db, it.clock.now());
  expect(await it.db.all({ sql: "SELECT * FROM tombstones", params: [] })).toEqual([]);
  await expect(behind.read()).rejects.toMatchObject({ code: "unavailable", reason: "WATCH_BEHIND" });
  for (const watcher of [beside, late]) {
    await it.update(ids[0]!, { title: "still here" });
    expect((await watcher.next()).at(-1)).toBe(`${ids[0]} still here`);
  }
});

test("a thousand watchers that keep up read each change once between them", async () => {
  let reads = 0;
  const it = setUp((db) => ({ ...db, all: (...args) => (reads++, db.all(...args)) }));
  const { id } = await it.create();
  const watchers = Array.from({ length: 1000 }, () => it.watch());
  for (const watcher of watchers) await watcher.begin();
  const waiting = watchers.map((watcher) => watcher.next());
  reads = 0;
  await it.update(id, { title: "t" });
  expect(new Set((await Promise.all(waiting)).flat())).toEqual(new Set([`${id} t`]));
  expect(reads).toBeLessThanOrEqual(2);
});

/** Changes sessions at random while watchers of all kinds read; tells how many pictures are wrong at the end. */
async function storm(steps: number, wrap?: (db: Database) => Database): Promise<number> {
  const it = setUp(wrap);
  let seed = 42;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
  const living: string[] = [];
  const running = new Map<string, string>();
  const settings = (): Partial<SessionSettings> => ({
    title: `t${random(1000)}`,
    starred: random(2) === 0,
    labels: random(2) === 0 ? {} : { team: "ab".charAt(random(2)) },
    profile: "pq".charAt(random(2)),
  });
  const create = async (): Promise<void> => void living.push((await it.create(settings())).id);
  const verbs: ((id: string) => Promise<unknown>)[] = [
    create,
    (id) => it.update(id, settings()),
    (id) => it.update(id, { title: `again ${random(9)}` }),
    (id) => it.db.transact(addSessionUsage(id, { ...NO_USAGE, outputTokens: 1 })),
    async (id) => {
      const turnId = running.get(id);
      if (turnId !== undefined) await it.db.transact(setIdle(id, turnId, it.clock.now()));
      else await it.db.transact(setRunning(id, `turn ${id}`, "", it.clock.now()));
      if (turnId === undefined) running.set(id, `turn ${id}`);
      else running.delete(id);
    },
    async (id) => {
      living.splice(living.indexOf(id), 1);
      await it.remove(id);
    },
  ];
  for (let i = 0; i < 1000; i++) await create();

  const filters: Partial<SessionFilter>[] = [
    {},
    { starred: true },
    { labels: { team: "a" } },
    { states: ["running"] },
    { profile: "q", starred: false },
  ];
  const watching = filters.flatMap((filter) => [
    { filter, watcher: it.watch(filter, 5000), every: 1 },
    { filter, watcher: it.watch(filter, 5000), every: 37 },
    { filter, watcher: it.watch(filter, 100), every: 5 },
  ]);
  for (let i = 0; i < steps; i++) {
    await Promise.all(
      Array.from({ length: 1 + random(3) }, () => {
        const id = living[random(living.length)]!;
        // One at a time of each session: who removes it must not meet who changes it.
        return verbs[random(verbs.length)]!(id).catch(ignoreGone);
      }),
    );
    for (const { watcher, every } of watching) if (i % every === 0) void watcher.read().catch(() => undefined);
  }
  return countWrong(it, watching);
}

function ignoreGone(error: unknown): void {
  if (!/there is no session|was deleted|claim lost/.test(String(error))) throw error;
}

async function countWrong(
  it: ReturnType<typeof setUp>,
  watching: readonly { readonly filter: Partial<SessionFilter>; readonly watcher: ReturnType<typeof createWatcher> }[],
): Promise<number> {
  // A last change that all are told of, so that nobody waits for more.
  await it.create({ title: "last", starred: true, labels: { team: "a" } });
  let wrong = 0;
  for (const { filter, watcher } of watching) {
    const listed = new Map((await it.list(filter)).map((session) => [session.id, session]));
    const isRight = (): boolean =>
      [...watcher.picture].every(([id, shown]) => listed.get(id)?.revision === shown.revision) &&
      (watcher.hasMore() || watcher.picture.size === listed.size);
    const reading = watcher.follow().catch(() => undefined);
    for (let i = 0; i < 200 && !isRight(); i++) await new Promise((resolve) => setImmediate(resolve));
    if (!isRight()) wrong++;
    void watcher.leave().catch(() => undefined);
    await reading;
  }
  return wrong;
}

test("whatever happens to a thousand sessions, every watcher's picture is what a list shows at the end", async () => {
  expect(await storm(2000)).toBe(0);
});

test("control: without the bell, and without what is left of removed sessions, pictures are wrong", async () => {
  const silent = await storm(300, (db) => ({ ...db, onRevision: () => () => {} }));
  const forgetful = await storm(300, (db) => ({
    ...db,
    transact: (statements, options) =>
      db.transact(
        statements.filter(({ sql }) => !sql.includes("INTO tombstones")),
        options,
      ),
  }));
  expect([silent > 0, forgetful > 0]).toEqual([true, true]);
});
