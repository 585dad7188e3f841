import { expect, it } from "vitest";
import {
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
import { useGate } from "./gate-world.ts";
import { kindsOf, refusalOf, replay } from "./observe.ts";
import { expectClosed } from "./turn-engine.ts";

const gate = useGate();
const { turns, ask, told, resting } = gate;

it("what the mode allows runs unasked, and what it denies is told to the model", async () => {
  const { risky, turn, sessionId } = await ask([
    ["none", {}],
    ["read", {}],
    ["edit", { path: "/x/.git/hooks/pre-commit" }],
  ]);
  expect(await gate.ended(turn)).toMatchObject({ endReason: TurnEndReason.COMPLETED });
  expect(risky.ran).toEqual(["none {}", "read {}"]);
  expect(told()).toEqual(["did none", "did read", expect.stringMatching(/denied and did not run.*\.git\/hooks/)]);
  expect((await turns.engine.requests.listRequests({ sessionId, states: [1, 2, 3, 4, 5] })).requests).toEqual([]);
  const states = (await replay(turns.engine, sessionId)).flatMap(({ payload }) =>
    payload.case === "toolCallEnded" ? [payload.value.state] : [],
  );
  expect(states.toSorted((a, b) => (a < b ? -1 : 1))).toEqual([
    ToolCallState.SUCCEEDED,
    ToolCallState.SUCCEEDED,
    ToolCallState.DENIED,
  ]);
});

it("a human is shown all of a call, nothing runs before the answer, and it runs once after it", async () => {
  const { risky, turn, sessionId } = await ask([["edit", { path: "/x/notes.md", diff: "-a\n+b\n" }]]);
  const [request] = await gate.open(sessionId);
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
      reason: "it is edit; the mode default asks about that",
      suggestedRules: [
        { effect: RuleEffect.ALLOW, scope: PermissionScope.SESSION, tool: "edit", pattern: "/x/notes.md" },
      ],
    },
  });
  await resting(sessionId);
  expect(risky.ran).toEqual([]);
  const waiting = await gate.session(sessionId);
  expect(waiting).toMatchObject({ runningTurnId: turn.id, waitingOn: { requestIds: [request!.id] } });
  const { turn: rested } = await turns.engine.messages.getTurn({ sessionId, turnId: turn.id });
  expect(rested!.state).toBe(TurnState.WAITING);
  const snapshot = await turns.engine.sessions.getSnapshot({ sessionId });
  expect(snapshot).toMatchObject({ toolCalls: [{ name: "edit", started: false }], requests: [{ id: request!.id }] });

  const resolved = await gate.approve(request!.id);
  expect(resolved).toMatchObject({
    request: { state: RequestState.ANSWERED, answeredBy: "admin" },
    appliedScope: PermissionScope.ONCE,
  });
  expect(resolved.rule).toBeUndefined();
  expect(await gate.ended(turn)).toMatchObject({ endReason: TurnEndReason.COMPLETED });
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
  expect(await refusalOf(gate.approve(request!.id))).toMatchObject({
    reason: "ALREADY_RESOLVED",
    metadata: { answered_by: "admin", state: "ANSWERED" },
  });
  expect(await gate.session(sessionId)).toMatchObject({ state: SessionState.IDLE, runningTurnId: "" });
});

it("a denial ends the call with its reason for the model, and the turn goes on", async () => {
  const { risky, turn, sessionId } = await ask([["destructive", {}]]);
  const requestId = (await gate.open(sessionId))[0]!.id;
  await gate.deny(requestId, { reason: "use the other one" });
  expect(await gate.ended(turn)).toMatchObject({ endReason: TurnEndReason.COMPLETED });
  expect(risky.ran).toEqual([]);
  expect(told()).toEqual([expect.stringContaining("use the other one")]);
});

it("changed arguments are what runs, and the model is told", async () => {
  const { risky, turn, sessionId } = await ask([["safe", { a: 1 }]]);
  const requestId = (await gate.open(sessionId))[0]!.id;
  await gate.approve(requestId, { arguments: { a: 2 } });
  await gate.ended(turn);
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
  const requestId = (await gate.open(sessionId))[0]!.id;
  const approve = (more: object) => gate.approve(requestId, { idempotencyKey: "k", ...more });
  expect(await refusalOf(approve({ arguments: { path: "/x/.bashrc" } }))).toMatchObject({ reason: "CALL_NOT_ALLOWED" });
  expect(await refusalOf(approve({ arguments: { wrong: 1 } }))).toMatchObject({ reason: "INVALID_TOOL_ARGUMENTS" });
  const rule = { effect: RuleEffect.DENY, scope: PermissionScope.SESSION, tool: "edit", pattern: "/x/b" };
  await turns.engine.permissions.createRule({ sessionId, rule });
  expect(await refusalOf(approve({ arguments: { path: "/x/b" } }))).toMatchObject({ reason: "CALL_NOT_ALLOWED" });
  await approve({ arguments: { path: "/x/c" } });
  await gate.ended(turn);
  expect(risky.ran).toEqual(['edit {"path":"/x/c"}']);
});

it("calls of one answer are independent: the allowed run while others wait, and an approved one starts beside them", async () => {
  const { risky, turn, sessionId } = await ask([
    ["none", { hang: true }],
    ["edit", { n: 1 }],
    ["edit", { n: 2 }],
  ]);
  const [first, second] = await gate.open(sessionId, 2);
  await expect.poll(() => risky.ran).toEqual(['none {"hang":true}']);
  expect((await gate.session(sessionId)).state).toBe(SessionState.RUNNING);
  await gate.approve(second!.id);
  await expect.poll(() => risky.ran).toEqual(['none {"hang":true}', 'edit {"n":2}']);
  risky.release();
  await resting(sessionId);
  await gate.deny(first!.id);
  await gate.ended(turn);
  expect(risky.ran).toHaveLength(2);
  expect(told()).toEqual(["did none", expect.stringContaining("denied"), "did edit"]);
});
