import { expect, it } from "vitest";
import {
  PermissionDecision,
  PermissionScope,
  RequestKind,
  RequestState,
  Risk,
  RuleEffect,
  SessionState,
  ToolCallState,
  TurnEndReason,
  TurnState,
} from "../../src/client/client.ts";
import { createRiskyTools } from "../helpers/risky-tools.ts";
import { createSession, endOf, kindsOf, refusalOf, replay } from "./observe.ts";
import { openPermission, openPermissions } from "./observe-requests.ts";
import { isValidHistory, says } from "./scripted-upstream.ts";
import { expectClosed, useTurns } from "./turn-engine.ts";

const APPROVE = PermissionDecision.APPROVE;
const DENY = PermissionDecision.DENY;

const turns = useTurns();

/** An engine with a tool of each risk, a session, and a turn whose model asks for these calls and then says that it is done. */
async function ask(calls: readonly (readonly [tool: string, args: object])[], settings: object = {}) {
  const risky = createRiskyTools();
  await turns.start({ tools: risky.tools });
  const { id: sessionId } = await createSession(turns.engine, { profile: "openai", ...settings });
  return { risky, sessionId, turn: await askAgain(sessionId, calls) };
}

async function askAgain(sessionId: string, calls: readonly (readonly [tool: string, args: object])[]) {
  const asked = turns.upstream.requests.length;
  turns.upstream.script((answer) => {
    if (turns.upstream.requests.length > asked + 1) return says(answer, "done");
    for (const [i, [tool, args]] of calls.entries()) answer.call(`up_${i}`, tool, JSON.stringify(args));
    answer.end("tool_calls");
  });
  return turns.startTurn(sessionId);
}

/** What the model was told of its calls. */
function told(): string[] {
  const last = turns.upstream.requests.at(-1)!;
  expect(isValidHistory(last.messages)).toBe(true);
  return last.messages.flatMap(({ role, content }) => (role === "tool" ? [String(content)] : []));
}

const stateOf = async (sessionId: string) => (await turns.engine.sessions.getSession({ sessionId })).session!;

/** Waits until nothing of a turn is in memory: it rests. */
async function resting(sessionId: string): Promise<void> {
  await expect.poll(async () => (await stateOf(sessionId)).state).toBe(SessionState.WAITING);
  await expect.poll(async () => (await turns.engine.engine.getStatus({})).runningTurns).toBe(0);
}

async function endedAs(turn: Parameters<typeof endOf>[1]) {
  return endOf(turns.engine, turn);
}

it("what the mode allows runs unasked, and what it denies is told to the model", async () => {
  const { risky, turn, sessionId } = await ask([
    ["none", {}],
    ["read", {}],
    ["edit", { path: "/x/.git/hooks/pre-commit" }],
  ]);
  expect(await endedAs(turn)).toMatchObject({ endReason: TurnEndReason.COMPLETED });
  expect(risky.ran).toEqual(["none {}", "read {}"]);
  expect(told()).toEqual(["did none", "did read", expect.stringMatching(/denied and did not run.*\.git\/hooks/)]);
  expect((await turns.engine.requests.listRequests({ sessionId, states: [1, 2, 3, 4, 5] })).requests).toEqual([]);
  const states = (await replay(turns.engine, sessionId)).flatMap(({ payload }) =>
    payload.case === "toolCallEnded" ? [payload.value.state] : [],
  );
  expect(states.toSorted()).toEqual([ToolCallState.SUCCEEDED, ToolCallState.SUCCEEDED, ToolCallState.DENIED]);
});

it("a human is shown all of a call, nothing runs before the answer, and it runs once after it", async () => {
  const { risky, turn, sessionId } = await ask([["edit", { path: "/x/notes.md", diff: "-a\n+b\n" }]]);
  const request = await openPermission(turns.engine, sessionId);
  expect(request).toMatchObject({
    kind: RequestKind.PERMISSION,
    turnId: turn.id,
    sessionId,
    title: "edit: change /x/notes.md",
    state: RequestState.OPEN,
    createdBy: "",
    permission: {
      tool: "edit",
      arguments: { path: "/x/notes.md", diff: "-a\n+b\n" },
      diff: "-a\n+b\n",
      risk: Risk.EDIT,
      reason: "it is edit",
      suggestedRules: [
        { effect: RuleEffect.ALLOW, scope: PermissionScope.SESSION, tool: "edit", pattern: "/x/notes.md" },
      ],
    },
  });
  await resting(sessionId);
  expect(risky.ran).toEqual([]);
  const waiting = await stateOf(sessionId);
  expect(waiting).toMatchObject({ runningTurnId: turn.id, waitingOn: { requestIds: [request.id] } });
  const { turn: rested } = await turns.engine.messages.getTurn({ sessionId, turnId: turn.id });
  expect(rested!.state).toBe(TurnState.WAITING);
  const snapshot = await turns.engine.sessions.getSnapshot({ sessionId });
  expect(snapshot).toMatchObject({ toolCalls: [{ name: "edit", started: false }], requests: [{ id: request.id }] });

  const answer = { requestId: request.id, decision: APPROVE };
  const resolved = await turns.engine.permissions.resolvePermission(answer);
  expect(resolved).toMatchObject({
    request: { state: RequestState.ANSWERED, answeredBy: "admin" },
    appliedScope: PermissionScope.ONCE,
  });
  expect(resolved.rule).toBeUndefined();
  expect(await endedAs(turn)).toMatchObject({ endReason: TurnEndReason.COMPLETED });
  expect(risky.ran).toHaveLength(1);
  expect(told()).toEqual(["did edit"]);
  const events = await replay(turns.engine, sessionId);
  expectClosed(events);
  expect(kindsOf(events).filter((kind) => /^tool|request|turn/.test(kind))).toEqual([
    "turnStarted",
    "toolCallRequested",
    "requestOpened",
    "requestResolved",
    "toolCallStarted",
    "toolCallEnded",
    "turnEnded",
  ]);
  expect(await refusalOf(turns.engine.permissions.resolvePermission(answer))).toMatchObject({
    reason: "ALREADY_RESOLVED",
    metadata: { answered_by: "admin", state: "ANSWERED" },
  });
  expect(await stateOf(sessionId)).toMatchObject({ state: SessionState.IDLE, runningTurnId: "" });
});

it("a denial ends the call with its reason for the model, and the turn goes on", async () => {
  const { risky, turn, sessionId } = await ask([["destructive", {}]]);
  const { id: requestId } = await openPermission(turns.engine, sessionId);
  await turns.engine.permissions.resolvePermission({ requestId, decision: DENY, reason: "use the other one" });
  expect(await endedAs(turn)).toMatchObject({ endReason: TurnEndReason.COMPLETED });
  expect(risky.ran).toEqual([]);
  expect(told()).toEqual([expect.stringContaining("use the other one")]);
});

it("changed arguments are what runs, and the model is told", async () => {
  const { risky, turn, sessionId } = await ask([["safe", { a: 1 }]]);
  const { id: requestId } = await openPermission(turns.engine, sessionId);
  await turns.engine.permissions.resolvePermission({ requestId, decision: APPROVE, arguments: { a: 2 } });
  await endedAs(turn);
  expect(risky.ran).toEqual(['safe {"a":2}']);
  expect(told()).toEqual([expect.stringMatching(/changed the arguments.*\{"a":2\}\]\ndid safe/)]);
  const events = await replay(turns.engine, sessionId);
  const args = events.flatMap(({ payload }) =>
    payload.case === "toolCallRequested" || payload.case === "toolCallStarted" ? [payload.value.arguments] : [],
  );
  expect(args).toEqual([{ a: 1 }, { a: 2 }]);
});

it("no answer lets run what a deny rule or a protected path forbids, and the refused answer uses nothing up", async () => {
  const { risky, turn, sessionId } = await ask([["edit", { path: "/x/a" }]]);
  const { id: requestId } = await openPermission(turns.engine, sessionId);
  const approve = (more: object) =>
    turns.engine.permissions.resolvePermission({ requestId, decision: APPROVE, idempotencyKey: "k", ...more });
  expect(await refusalOf(approve({ arguments: { path: "/x/.bashrc" } }))).toMatchObject({ reason: "CALL_NOT_ALLOWED" });
  expect(await refusalOf(approve({ arguments: { wrong: 1 } }))).toMatchObject({ reason: "INVALID_TOOL_ARGUMENTS" });
  const rule = { effect: RuleEffect.DENY, scope: PermissionScope.SESSION, tool: "edit", pattern: "/x/b" };
  await turns.engine.permissions.createRule({ sessionId, rule });
  expect(await refusalOf(approve({ arguments: { path: "/x/b" } }))).toMatchObject({ reason: "CALL_NOT_ALLOWED" });
  await approve({ arguments: { path: "/x/c" } });
  await endedAs(turn);
  expect(risky.ran).toEqual(['edit {"path":"/x/c"}']);
});

it("calls of one answer are independent: the allowed run while others wait, and an approved one starts beside them", async () => {
  const { risky, turn, sessionId } = await ask([
    ["none", { hang: true }],
    ["edit", { n: 1 }],
    ["edit", { n: 2 }],
  ]);
  const [first, second] = await openPermissions(turns.engine, sessionId, 2);
  await expect.poll(() => risky.ran).toEqual(['none {"hang":true}']);
  expect((await stateOf(sessionId)).state).toBe(SessionState.RUNNING);
  await turns.engine.permissions.resolvePermission({ requestId: second!.id, decision: APPROVE });
  await expect.poll(() => risky.ran).toEqual(['none {"hang":true}', 'edit {"n":2}']);
  risky.release();
  await resting(sessionId);
  await turns.engine.permissions.resolvePermission({ requestId: first!.id, decision: DENY });
  await endedAs(turn);
  expect(risky.ran).toHaveLength(2);
  expect(told()).toEqual(["did none", expect.stringContaining("denied"), "did edit"]);
});
