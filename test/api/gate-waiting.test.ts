import { expect, it } from "vitest";
import {
  Framing,
  RequestState,
  Role,
  RuleEffect,
  PermissionScope,
  SessionState,
  TurnEndReason,
  TurnState,
} from "../../src/client/client.ts";
import { useGate } from "./gate-world.ts";
import { createSession, kindsOf, refusalOf, replay, text } from "./observe.ts";
import { openPermission } from "./observe-requests.ts";
import { isValidHistory, says } from "./scripted-upstream.ts";
import { expectClosed } from "./turn-engine.ts";

const gate = useGate();
const { turns, ask } = gate;

const requestsOf = async (sessionId: string) =>
  (await turns.engine.requests.listRequests({ sessionId, states: [1, 2, 3, 4, 5] })).requests;

it("a session whose turn waits is found, counted and watched as one that waits", async () => {
  const { sessionId } = await ask([["edit", {}]]);
  await gate.open(sessionId);
  await gate.resting(sessionId);
  const { sessions, engine } = turns.engine;
  const idsOf = async (state: SessionState) =>
    (await sessions.listSessions({ states: [state] })).sessions.map(({ id }) => id);
  expect(await idsOf(SessionState.WAITING)).toEqual([sessionId]);
  expect(await idsOf(SessionState.RUNNING)).toEqual([]);
  expect(await engine.getStatus({})).toMatchObject({
    runningTurns: 0,
    openRequests: 1,
    sessionCounts: [{ state: SessionState.WAITING, count: 1n }],
  });
  const watch = new AbortController();
  for await (const { payload: item } of engine.watchEngine({ topics: [1] }, { signal: watch.signal })) {
    if (item.case !== "session") continue;
    expect(item.value).toMatchObject({ id: sessionId, state: SessionState.WAITING });
    break;
  }
  watch.abort();
});

it("a cancel ends what a resting turn asked and its calls, and the next turn is sent a valid history", async () => {
  const { risky, turn, sessionId } = await ask([
    ["edit", { n: 1 }],
    ["edit", { n: 2 }],
  ]);
  const [request] = await gate.open(sessionId, 2);
  await gate.resting(sessionId);
  const cancelled = await turns.engine.messages.cancelTurn({ sessionId });
  expect(cancelled.turn).toMatchObject({ id: turn.id, state: TurnState.ENDED, endReason: TurnEndReason.CANCELLED });
  for (const { state, endReason } of await requestsOf(sessionId)) {
    expect([state, endReason]).toEqual([RequestState.CANCELLED, "its turn was cancelled"]);
  }
  expect(await refusalOf(gate.approve(request!.id))).toMatchObject({
    reason: "ALREADY_RESOLVED",
    metadata: { state: "CANCELLED" },
  });
  expectClosed(await replay(turns.engine, sessionId));
  expect(await gate.session(sessionId)).toMatchObject({ state: SessionState.IDLE, runningTurnId: "" });
  expect((await gate.session(sessionId)).waitingOn).toBeUndefined();
  turns.upstream.script((answer) => says(answer, "hello"));
  await gate.ended(await turns.startTurn(sessionId));
  expect(isValidHistory(turns.upstream.requests.at(-1)!.messages)).toBe(true);
  expect(risky.ran).toEqual([]);
});

it("answers and a cancel at once leave one end of each call, and run none twice", async () => {
  const { risky, ...first } = await ask([["edit", {}]]);
  for (let round = 1; round <= 10; round++) {
    const { sessionId, turn } = round === 1 ? first : await askBeside();
    const requestId = (await gate.open(sessionId))[0]!.id;
    const [, cancel] = await Promise.allSettled([
      gate.approve(requestId),
      turns.engine.messages.cancelTurn({ sessionId }),
      gate.deny(requestId),
    ]);
    expect(cancel.status).toBe("fulfilled");
    await gate.ended(turn);
    expectClosed(await replay(turns.engine, sessionId));
    expect(risky.ran.length).toBeLessThanOrEqual(round);
    expect(await gate.session(sessionId)).toMatchObject({ state: SessionState.IDLE });
  }
});

/** Another session of the same engine that asks. */
async function askBeside() {
  const { id: sessionId } = await createSession(turns.engine, { profile: "openai" });
  return { sessionId, turn: await gate.askAgain(sessionId, [["edit", {}]]) };
}

it("what needs an idle session is refused while its turn rests, and what does not goes on", async () => {
  const { turn, sessionId } = await ask([["edit", {}]]);
  await gate.open(sessionId);
  await gate.resting(sessionId);
  const { sessions, messages } = turns.engine;
  const busy = [
    messages.startTurn({ sessionId, parts: text("more") }),
    messages.retryTurn({ sessionId }),
    sessions.appendMessage({ sessionId, role: Role.USER, parts: text("more") }),
    sessions.clearHistory({ sessionId }),
  ];
  for (const call of busy) {
    expect(await refusalOf(call)).toMatchObject({ reason: "SESSION_BUSY", metadata: { turn_id: turn.id } });
  }
  await sessions.updateSession({ sessionId, title: "named" });
  const { session: fork } = await sessions.forkSession({ sessionId });
  expect(fork!.state).toBe(SessionState.IDLE);
  expect((await sessions.getSnapshot({ sessionId: fork!.id })).toolCalls).toEqual([]);
  expect(await requestsOf(fork!.id)).toEqual([]);
  await messages.followUp({ sessionId, parts: text("afterwards") });
  const { requests } = await turns.engine.requests.listRequests({ sessionId });
  await gate.approve(requests[0]!.id);
  await gate.ended(turn);
});

it("what is said to a resting turn waits with it, and is taken up when it goes on", async () => {
  const { turn, sessionId } = await ask([["edit", {}]]);
  const [request] = await gate.open(sessionId);
  await gate.resting(sessionId);
  await turns.engine.messages.steer({ sessionId, parts: text("and be quick") });
  await gate.resting(sessionId);
  await gate.approve(request!.id);
  await gate.ended(turn);
  expect(JSON.stringify(turns.upstream.requests.at(-1)!.messages)).toContain("and be quick");
});

it("a replacement drops what a resting turn asked, and the turn goes on with it", async () => {
  const { risky, turn, sessionId } = await ask([["edit", {}]]);
  const [request] = await gate.open(sessionId);
  await gate.resting(sessionId);
  await turns.engine.messages.steer({ sessionId, parts: text("rather sing"), framing: Framing.REPLACEMENT });
  expect(await gate.ended(turn)).toMatchObject({ endReason: TurnEndReason.COMPLETED });
  const [ended] = await requestsOf(sessionId);
  expect([ended!.id, ended!.state]).toEqual([request!.id, RequestState.CANCELLED]);
  expect(risky.ran).toEqual([]);
  const { messages } = turns.upstream.requests.at(-1)!;
  expect(isValidHistory(messages)).toBe(true);
  expect(JSON.stringify(messages.at(-1))).toContain("rather sing");
  expectClosed(await replay(turns.engine, sessionId));
});

it("a session that goes takes what its resting turn asked with it", async () => {
  const { sessionId } = await ask([["edit", {}]]);
  const [request] = await gate.open(sessionId);
  await gate.resting(sessionId);
  const awaited = turns.engine.requests.awaitRequest({ requestId: request!.id, wait: { seconds: 60n } });
  await turns.engine.sessions.deleteSession({ sessionId });
  expect((await awaited).request!.state).toBe(RequestState.CANCELLED);
  expect(await refusalOf(gate.approve(request!.id))).toMatchObject({ reason: "ALREADY_RESOLVED" });
});

it("over a restart a request keeps its id and everything in it, and its answer goes on with the turn", async () => {
  const { risky, turn, sessionId } = await ask([["edit", { path: "/x/a", diff: "+a\n" }]]);
  const before = await openPermission(turns.engine, sessionId);
  await gate.resting(sessionId);
  turns.engine = await turns.engine.restart({ random: () => 0, tools: risky.tools });
  const { request } = await turns.engine.requests.getRequest({ requestId: before.id });
  expect(request).toEqual(before);
  expect(await gate.session(sessionId)).toMatchObject({ state: SessionState.WAITING, runningTurnId: turn.id });
  expect(risky.ran).toEqual([]);
  await gate.approve(before.id);
  expect(await gate.ended(turn)).toMatchObject({ endReason: TurnEndReason.COMPLETED });
  expect(risky.ran).toHaveLength(1);
  const events = await replay(turns.engine, sessionId);
  expectClosed(events);
  expect(kindsOf(events).filter((kind) => kind === "requestOpened")).toHaveLength(1);
});

it("a stop while one call runs and another waits leaves the turn to the next start: unknown the one, asked the other", async () => {
  const { risky, turn, sessionId } = await ask([
    ["none", { hang: true }],
    ["edit", {}],
  ]);
  const [request] = await gate.open(sessionId);
  await expect.poll(() => risky.ran).toHaveLength(1);
  turns.engine = await turns.engine.restart({ random: () => 0, tools: risky.tools });
  await gate.resting(sessionId);
  await gate.approve(request!.id);
  expect(await gate.ended(turn)).toMatchObject({ endReason: TurnEndReason.COMPLETED });
  expect(risky.ran).toEqual(['none {"hang":true}', "edit {}"]);
  expect(gate.told()).toEqual([expect.stringMatching(/whether it had an effect is not known/), "did edit"]);
  expectClosed(await replay(turns.engine, sessionId));
});

it("a session is asked about so many calls at once, and what nobody was asked about does not run", async () => {
  const { risky, turn, sessionId } = await ask(Array.from({ length: 102 }, (_, n) => ["edit", { n }] as const));
  const open = await gate.open(sessionId, 100);
  const rule = { effect: RuleEffect.ALLOW, scope: PermissionScope.SESSION, tool: "edit", pattern: "" };
  await gate.approve(open[0]!.id, { rule });
  await Promise.all(open.slice(1).map(({ id }) => gate.deny(id)));
  await gate.ended(turn);
  expect(risky.ran).toEqual(['edit {"n":0}']);
  const told = gate.told();
  expect(told).toHaveLength(102);
  expect(told.filter((one) => one.includes("as many requests are open as may be"))).toHaveLength(2);
});

it("the largest call that a model can ask for, changed to another as large, fits into what clients take", async () => {
  const { risky, turn, sessionId } = await ask([["edit", { text: "é".repeat(300_000), diff: "+x\n".repeat(100_000) }]]);
  const [request] = await gate.open(sessionId);
  expect(Buffer.byteLength(request!.permission!.diff)).toBeLessThanOrEqual(256 * 1024);
  expect(request!.permission!.diff).toMatch(/^(\+x\n)+$/);
  expect(request!.body).toContain("The diff is longer than 256 KiB");
  expect(Array.from(request!.title).length).toBeLessThanOrEqual(500);
  await gate.resting(sessionId);
  const sizes: Record<string, number> = {};
  const post = async (method: string, body: object): Promise<void> => {
    const { status, text: answer } = await turns.engine.post(method, JSON.stringify(body));
    expect([method, status]).toEqual([method, 200]);
    sizes[method] = Buffer.byteLength(answer);
  };
  await post("parley.v1.SessionService/GetSnapshot", { sessionId });
  await post("parley.v1.RequestService/ListRequests", { sessionId });
  await post("parley.v1.PermissionService/ResolvePermission", {
    requestId: request!.id,
    decision: "PERMISSION_DECISION_APPROVE",
    arguments: { text: "x".repeat(1024 * 1024 - 20) },
  });
  await gate.ended(turn);
  await post("parley.v1.RequestService/ListRequests", { sessionId, states: ["REQUEST_STATE_ANSWERED"] });
  for (const [method, size] of Object.entries(sizes)) expect([method, size < 3_500_000]).toEqual([method, true]);
  expect(risky.ran).toHaveLength(1);
});
