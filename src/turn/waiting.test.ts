import { expect, test } from "vitest";
import { createRiskyTools } from "../../test/helpers/risky-tools.ts";
import { asksFor, says } from "../../test/helpers/scripted-model.ts";
import { setUp } from "../../test/helpers/turn-engine.ts";
import { hashOfCall } from "../permission/call-hash.ts";
import { resolvePermission } from "../permission/resolve-permission.ts";
import { insertRule } from "../permission/rule-store.ts";
import { createExpiry } from "../request/expire-requests.ts";
import { createRequestBells } from "../request/request-bells.ts";
import { listOpenOfSession } from "../request/request-store.ts";
import { getSession } from "../session/session-store.ts";
import { openSqlite } from "../store/sqlite.ts";
import type { WakeTurn } from "./turn-waker.ts";
import { DEFAULT_LIMITS } from "./turn.ts";

const NOBODY: WakeTurn = () => {};

type Inside = Awaited<ReturnType<typeof setUp>>;

async function openRequest(engine: Inside) {
  const { key } = await getSession(engine.db, engine.id);
  const [request] = await listOpenOfSession(engine.db, key);
  if (request === undefined) throw new Error("nothing is asked");
  return request;
}

/** `wake` is told that the turn may go on; nobody is where the engine dies in that moment. */
function answerDeps(engine: Inside, wake: WakeTurn) {
  const deps = { ...engine, bells: createRequestBells(engine.clock), wake };
  return { ...deps, expiry: createExpiry(deps) };
}

function answer(engine: Inside, requestId: string, decision: "approve" | "deny", wake: WakeTurn) {
  const said = { decision, scope: undefined, rule: undefined, arguments: undefined, reason: "" } as const;
  return resolvePermission(answerDeps(engine, wake), { requestId, idempotencyKey: "", actor: "me", ...said });
}

/** A turn that waits: its model asked for a call of the tool `edit`, and says that it is done after it. */
async function setUpWaiting() {
  const db = openSqlite(":memory:");
  const risky = createRiskyTools();
  const engine = await setUp([asksFor(["edit", '{"n":1}']), says("done")], {}, db, risky.tools);
  const turn = await engine.start();
  await engine.runner.whenDone(turn.id);
  expect(await engine.session()).toMatchObject({ state: "waiting", runningTurnId: turn.id });
  const { id: requestId } = await openRequest(engine);
  return {
    ...engine,
    risky,
    turn,
    requestId,
    approve: (wake: WakeTurn = engine.runner.wake) => answer(engine, requestId, "approve", wake),
    deny: (wake: WakeTurn = engine.runner.wake) => answer(engine, requestId, "deny", wake),
    /** Another engine over the same store, after this one was killed. */
    async startAgain() {
      const next = await setUp([says("done")], {}, db, risky.tools);
      await next.recover();
      return { ...next, ended: await next.ended(turn) };
    },
    results: async () =>
      (await engine.events()).flatMap((event) =>
        event.kind === "tool_call_ended" ? [[event.outcome, event.text]] : [],
      ),
    change: (sql: string) => db.transact([{ sql, params: [] }]),
  };
}

test("a turn that waits is in no memory, and is as it was after the start of another engine", async () => {
  const engine = await setUpWaiting();
  expect(engine.runner.count()).toBe(0);
  const { ended } = await engine.startAgain();
  expect(ended).toMatchObject({ state: "waiting" });
  expect(engine.risky.ran).toEqual([]);
});

test("a call that was approved and had not begun when the engine died runs with the next, once", async () => {
  const engine = await setUpWaiting();
  await engine.approve(NOBODY);
  expect(engine.risky.ran).toEqual([]);
  const { ended } = await engine.startAgain();
  expect(ended).toMatchObject({ endReason: "completed" });
  expect(engine.risky.ran).toEqual(['edit {"n":1}']);
  expect((await engine.startAgain()).ended).toEqual(ended);
  expect(engine.risky.ran).toHaveLength(1);
});

test("a denial and an end by the clock go on with the turn, too, when the engine died in that moment", async () => {
  const denied = await setUpWaiting();
  await denied.deny(NOBODY);
  expect((await denied.startAgain()).ended).toMatchObject({ endReason: "completed" });

  const expired = await setUpWaiting();
  await expired.change("UPDATE requests SET deadline_ms = 1");
  await answerDeps(expired, NOBODY).expiry.expire(expired.requestId);
  expect((await expired.startAgain()).ended).toMatchObject({ endReason: "completed" });
  expect([...denied.risky.ran, ...expired.risky.ran]).toEqual([]);
});

test("after a restart a deny rule stops what was approved, and a stricter mode does not", async () => {
  const stopped = await setUpWaiting();
  await stopped.approve(NOBODY);
  const rule = { id: "rule_1", effect: "deny", scope: "global", tool: "edit", pattern: "" } as const;
  const ofAll = { sessionId: "", workspace: "", createdBy: "me", createTimeMs: 0, expireTimeMs: undefined };
  await stopped.db.transact([insertRule({ ...rule, ...ofAll })]);
  expect((await stopped.startAgain()).ended).toMatchObject({ endReason: "completed" });
  expect(stopped.risky.ran).toEqual([]);
  expect(await stopped.results()).toEqual([["denied", expect.stringContaining("a rule of scope global denies")]]);

  const strict = await setUpWaiting();
  await strict.approve(NOBODY);
  await strict.change("UPDATE sessions SET approval_mode = 'plan'");
  await strict.startAgain();
  expect(strict.risky.ran).toEqual(['edit {"n":1}']);
});

test("what runs is to the letter what was approved", async () => {
  const engine = await setUpWaiting();
  await engine.approve(NOBODY);
  await engine.change(`UPDATE tool_calls SET arguments = '{"n":2}'`);
  await engine.startAgain();
  expect(engine.risky.ran).toEqual([]);
  expect(await engine.results()).toEqual([["denied", expect.stringContaining("not what was approved")]]);
});

test("the check of what was approved is what holds it: with its hash changed too, other arguments run", async () => {
  const engine = await setUpWaiting();
  await engine.approve(NOBODY);
  const hash = hashOfCall({ name: "edit", arguments: { n: 2 } });
  await engine.change(`UPDATE tool_calls SET arguments = '{"n":2}', hash = '${hash}'`);
  await engine.startAgain();
  expect(engine.risky.ran).toEqual(['edit {"n":2}']);
});

test("an answer to what is not the call any more is refused, and the request stays open", async () => {
  const engine = await setUpWaiting();
  await engine.change("UPDATE tool_calls SET hash = 'another'");
  await expect(engine.approve()).rejects.toMatchObject({ reason: "CALL_CHANGED" });
  expect(await engine.session()).toMatchObject({ state: "waiting", waitingOn: { requestIds: [engine.requestId] } });
  expect(engine.risky.ran).toEqual([]);
});

test("working time stands still while a human is waited for: what was worked before counts on", async () => {
  const limits = { ...DEFAULT_LIMITS, maxWorkingTimeMs: 1000 };
  const risky = createRiskyTools();
  const answers = [asksFor(["none", '{"hang":true}'], ["edit", "{}"]), says("done")];
  const engine = await setUp(answers, { limits }, openSqlite(":memory:"), risky.tools);
  const turn = await engine.start();
  while (risky.ran.length === 0) await engine.clock.advance(0);
  await engine.clock.advance(600);
  risky.release();
  expect(await engine.ended(turn)).toMatchObject({ state: "waiting", workedMs: 600 });
  await engine.clock.advance(3_600_000);
  await answer(engine, (await openRequest(engine)).id, "approve", engine.runner.wake);
  expect(await engine.ended(turn)).toMatchObject({ endReason: "completed" });
});

test("a request whose time is over denies its call, and the turn goes on", async () => {
  const engine = await setUpWaiting();
  await engine.change("UPDATE requests SET deadline_ms = 1");
  await answerDeps(engine, engine.runner.wake).expiry.expire(engine.requestId);
  expect(await engine.ended(engine.turn)).toMatchObject({ endReason: "completed" });
  expect(engine.risky.ran).toEqual([]);
  expect(await engine.results()).toEqual([["denied", expect.stringContaining("nobody answered in time")]]);
});
