import { afterEach, expect, test } from "vitest";
import { createFakeClock } from "../../test/helpers/fake-clock.ts";
import { createEventLog } from "../event/event-log.ts";
import type { EventPayload } from "../event/event.ts";
import type { Database } from "../store/database.ts";
import { openSqlite } from "../store/sqlite.ts";
import { DEFAULT_LIMITS } from "../turn/turn.ts";
import { createRemovedSessions } from "./removed-sessions.ts";
import { getSession, insertSession, removeSession } from "./session-store.ts";

const SETTINGS = {
  title: "",
  profile: "demo",
  model: "",
  systemPrompt: "",
  workspace: "",
  labels: {},
  limits: DEFAULT_LIMITS,
  starred: false,
  resumeAfterRestart: false,
  retryPartial: false,
  approvalMode: "default" as const,
};

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

/** Two sessions with so many events each. */
async function setUp(events: number) {
  const clock = createFakeClock();
  const db = openSqlite(":memory:");
  closers.push(() => db.close());
  const log = createEventLog(db, (payload) => Buffer.from(JSON.stringify(payload)), clock);
  closers.push(() => log.close());
  const notes = Array.from({ length: events }, (): EventPayload => ({ kind: "warning", reason: "NOTE", message: "x" }));
  for (const id of ["ses_1", "ses_2"]) {
    await db.transact(insertSession(id, SETTINGS, 0));
    await log.append(id, { events: notes });
  }
  const bugs: unknown[] = [];
  const open = (over: Database = db) => createRemovedSessions(over, (_what, error) => void bugs.push(error), clock);
  const count = async (sql: string): Promise<number> =>
    (await db.get<{ rows: number }>({ sql, params: [] }))?.rows ?? 0;
  return {
    clock,
    db,
    log,
    bugs,
    open,
    eventsOf: (key: number) => count(`SELECT count(*) AS rows FROM events WHERE session_key = ${key}`),
    left: () => count("SELECT (SELECT count(*) FROM removed_sessions) + (SELECT count(*) FROM removed_ranges) AS rows"),
  };
}

type World = Awaited<ReturnType<typeof setUp>>;

/** Time passes until nothing is left to remove. */
async function untilGone({ clock, left }: World): Promise<void> {
  while ((await left()) > 0) await clock.advance(1000);
}

const cut = (world: World, to: number) =>
  world.log.append("ses_1", {
    events: [{ kind: "warning", reason: "CUT", message: "" }],
    removed: () => [{ from: 11, to }],
  });

test("events that were cut go, and no other", async () => {
  const world = await setUp(2000);
  const removed = world.open();
  await cut(world, 1990);
  removed.sweep();
  await untilGone(world);
  expect([await world.eventsOf(1), await world.eventsOf(2)]).toEqual([10 + 10 + 1, 2000]);
  await removed.close();
  expect(world.bugs).toEqual([]);
});

test("a removal goes piece by piece, and rests after each", async () => {
  const world = await setUp(2000);
  const removed = world.open();
  await cut(world, 2000);
  removed.sweep();
  // It rests as long as the clock stands still.
  while ((await world.eventsOf(1)) === 2001) await new Promise((resolve) => setImmediate(resolve));
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
  expect(await world.eventsOf(1)).toBeGreaterThan(1000);
  await untilGone(world);
  expect(await world.eventsOf(1)).toBe(11);
  await removed.close();
});

test("what an engine leaves of a removal is removed by the next one", async () => {
  const world = await setUp(2000);
  const first = world.open();
  await cut(world, 2000);
  first.sweep();
  await first.close();
  expect(await world.left()).toBe(1);
  const second = world.open();
  second.sweep();
  await untilGone(world);
  await second.close();
  expect([await world.eventsOf(1), world.clock.timers()]).toEqual([11, 0]);
});

test("a session that is removed while its events go takes all of them", async () => {
  const world = await setUp(2000);
  const removed = world.open();
  await cut(world, 1000);
  removed.sweep();
  await world.db.transact(removeSession(await getSession(world.db, "ses_1"), 0));
  removed.sweep();
  await untilGone(world);
  expect([await world.eventsOf(1), await world.eventsOf(2)]).toEqual([0, 2000]);
  await removed.close();
});

test("a cut that is made longer while it is worked on goes to its new end", async () => {
  const world = await setUp(1500);
  const removed = world.open();
  await cut(world, 700);
  removed.sweep();
  await cut(world, 1501);
  removed.sweep();
  await untilGone(world);
  expect(await world.eventsOf(1)).toBe(11);
  await removed.close();
});
