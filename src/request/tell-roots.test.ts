import { afterEach, expect, test } from "vitest";
import { createFakeClock } from "../../test/helpers/fake-clock.ts";
import { createEventLog } from "../event/event-log.ts";
import { newId } from "../id.ts";
import { createIdempotency } from "../idempotency/idempotency.ts";
import { getSession, insertSession, removeSession } from "../session/session-store.ts";
import type { Database } from "../store/database.ts";
import { openSqlite } from "../store/sqlite.ts";
import { DEFAULT_LIMITS } from "../turn/turn.ts";
import { createRequest } from "./create-request.ts";
import { createExpiry } from "./expire-requests.ts";
import { createRequestBells } from "./request-bells.ts";
import { listOpenOfSession } from "./request-store.ts";
import { respondRequest } from "./respond-request.ts";
import { createRootTeller } from "./tell-roots.ts";
import { cancelRequest } from "./withdraw-request.ts";

const SETTINGS = {
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
  approvalMode: "default" as const,
};
const QUESTION = {
  kind: "question" as const,
  title: "which one?",
  body: "",
  context: undefined,
  options: [],
  form: undefined,
  priority: "normal" as const,
  tags: [],
  defaultAnswer: undefined,
};

const closers: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

const wake = (): void => {};

/** A root, its child and its grandchild, over a store; nothing is told before `teller.start()`. */
async function setUp(db: Database = openSqlite(":memory:")) {
  const clock = createFakeClock();
  const log = createEventLog(db, (payload) => Buffer.from(JSON.stringify(payload)), clock);
  const bells = createRequestBells(clock);
  const bugs: unknown[] = [];
  const onBug = (_what: string, error: unknown): void => void bugs.push(error);
  const expiry = createExpiry({ db, log, clock, bells, newId, wake, onBug });
  const deps = { db, log, clock, newId, idempotency: createIdempotency(db, clock), bells, wake, expiry };
  const teller = createRootTeller({ db, log, onBug });
  const close = async (): Promise<void> => {
    await teller.close();
    await expiry.close();
    await log.close();
    expect(bugs).toEqual([]);
  };
  closers.push(close, () => db.close());
  return {
    ...deps,
    teller,
    close,
    ask: async (sessionId: string) =>
      (
        await createRequest(deps, {
          idempotencyKey: "",
          question: { ...QUESTION, sessionId },
          lifetimeMs: undefined,
          actor: "asker",
        })
      ).id,
    answer: (requestId: string) =>
      respondRequest(deps, { requestId, idempotencyKey: "", answer: { kind: "text", text: "yes" }, actor: "human" }),
    cancel: (requestId: string) => cancelRequest(deps, { requestId, reason: "", actor: "asker" }),
    waitingOn: async (id: string) => (await getSession(db, id)).waitingOn?.requestIds,
    /** What a session's log has told, as `opened` or how it ended, of which request. */
    told: async (id: string): Promise<string[]> => {
      const rows = await db.all<{ payload: Uint8Array }>({
        sql: "SELECT payload FROM events WHERE session_key = (SELECT key FROM sessions WHERE id = ?) ORDER BY seq",
        params: [id],
      });
      return rows.map(({ payload }) => {
        const { request } = JSON.parse(Buffer.from(payload).toString()) as { request: { id: string; state: string } };
        return `${request.state} ${request.id}`;
      });
    },
  };
}

async function family(db: Database) {
  const ids = ["ses_root", "ses_child", "ses_grandchild"];
  for (const [i, id] of ids.entries()) {
    const parent =
      i === 0 ? {} : { parent: { sessionId: ids[i - 1]!, turnId: "t", callId: "c", rootSessionId: ids[0]! } };
    await db.transact(insertSession(id, SETTINGS, 1, parent));
  }
  return { root: ids[0]!, child: ids[1]!, grandchild: ids[2]! };
}

test("what is asked below a session is told in its log, once, and every session above waits for it", async () => {
  const it = await setUp();
  const { root, child, grandchild } = await family(it.db);
  it.teller.start();
  const deep = await it.ask(grandchild);
  await expect.poll(() => it.told(root)).toEqual([`open ${deep}`]);
  const near = await it.ask(child);
  await expect.poll(() => it.told(root)).toEqual([`open ${deep}`, `open ${near}`]);
  expect(await it.waitingOn(root)).toEqual([deep, near]);
  expect(await it.waitingOn(child)).toEqual([deep, near]);
  expect(await it.waitingOn(grandchild)).toEqual([deep]);
  expect((await listOpenOfSession(it.db, (await getSession(it.db, root)).key)).map(({ id }) => id)).toEqual([
    deep,
    near,
  ]);

  await it.answer(deep);
  await it.cancel(near);
  await expect
    .poll(() => it.told(root))
    .toEqual([`open ${deep}`, `open ${near}`, `answered ${deep}`, `cancelled ${near}`]);
  expect(await it.told(grandchild)).toEqual([`open ${deep}`, `answered ${deep}`]);
  for (const id of [root, child, grandchild]) expect(await it.waitingOn(id)).toBeUndefined();
});

test("a session that nobody started tells its own requests once", async () => {
  const it = await setUp();
  const { root } = await family(it.db);
  it.teller.start();
  const own = await it.ask(root);
  await it.answer(own);
  await it.teller.close();
  expect(await it.told(root)).toEqual([`open ${own}`, `answered ${own}`]);
});

test("what an engine that died left untold is told by the next one", async () => {
  const db = openSqlite(":memory:");
  const dead = await setUp(db);
  const { root, child } = await family(db);
  const open = await dead.ask(child);
  const ended = await dead.ask(child);
  await dead.answer(ended);
  expect(await dead.told(root)).toEqual([]);
  await dead.close();
  closers.length = 0;

  const next = await setUp(db);
  next.teller.start();
  await expect.poll(() => next.told(root)).toEqual([`open ${open}`, `open ${ended}`, `answered ${ended}`]);
});

test("a root that is gone is told nothing, and holds up nobody", async () => {
  const it = await setUp();
  const { root, child } = await family(it.db);
  await it.ask(child);
  await it.db.transact(removeSession(await getSession(it.db, root), 2));
  it.teller.start();
  await expect
    .poll(
      async () =>
        (await it.db.get({ sql: "SELECT count(*) AS n FROM requests WHERE root_untold = 1", params: [] }))?.["n"],
    )
    .toBe(0);
});
