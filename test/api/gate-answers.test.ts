import { expect, it } from "vitest";
import {
  ApprovalMode,
  CheckDecision,
  PermissionDecision,
  PermissionScope,
  RequestState,
  Risk,
  RuleEffect,
} from "../../src/client/client.ts";
import { useGate } from "./gate-world.ts";
import { createSession, refusalOf, toRefusal } from "./observe.ts";

const gate = useGate();
const { turns, ask, askAgain, told } = gate;

/** Objects in objects. */
const nested = (levels: number): object => (levels === 0 ? {} : { in: nested(levels - 1) });

const rulesOf = async (sessionId: string) => (await turns.engine.permissions.listRules({ sessionId })).rules;

it("of many answers at once one counts, and the others are told whose", async () => {
  const { risky, turn, sessionId } = await ask([["edit", {}]]);
  const [request] = await gate.open(sessionId);
  const answers = Array.from({ length: 8 }, (_, i) => (i % 2 === 0 ? gate.approve : gate.deny)(request!.id));
  const outcomes = await Promise.allSettled(answers);
  const lost = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [toRefusal(outcome.reason)] : []));
  expect(lost.map(({ code, reason, metadata }) => [code, reason, metadata["answered_by"], metadata["state"]])).toEqual(
    Array.from({ length: 7 }, () => ["FAILED_PRECONDITION", "ALREADY_RESOLVED", "admin", "ANSWERED"]),
  );
  await gate.ended(turn);
  expect(risky.ran).toHaveLength(outcomes.findIndex(({ status }) => status === "fulfilled") % 2 === 0 ? 1 : 0);
});

it("the same key gets the first answer's outcome again, and no other answer", async () => {
  const { risky, turn, sessionId } = await ask([["edit", {}]]);
  const [request] = await gate.open(sessionId);
  const idempotencyKey = "mine";
  const [first, second] = await Promise.all([
    gate.approve(request!.id, { idempotencyKey, scope: PermissionScope.SESSION }),
    gate.approve(request!.id, { idempotencyKey, scope: PermissionScope.SESSION }),
  ]);
  expect(second).toEqual(first);
  await gate.ended(turn);
  const again = await gate.approve(request!.id, { idempotencyKey, scope: PermissionScope.SESSION });
  expect(again).toEqual(first);
  expect(again.rule?.id).toBe((await rulesOf(sessionId))[0]?.id);
  expect(await refusalOf(gate.deny(request!.id, { idempotencyKey }))).toMatchObject({
    reason: "IDEMPOTENCY_KEY_REUSED",
  });
  expect(risky.ran).toHaveLength(1);
});

it("a double click never approves the next call", async () => {
  const { risky, turn, sessionId } = await ask([
    ["edit", { n: 1 }],
    ["edit", { n: 2 }],
  ]);
  const [first, second] = await gate.open(sessionId, 2);
  const clicks = await Promise.allSettled([gate.approve(first!.id), gate.approve(first!.id)]);
  expect(clicks.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
  await gate.resting(sessionId);
  expect(risky.ran).toEqual(['edit {"n":1}']);
  const { requests } = await turns.engine.requests.listRequests({ sessionId });
  expect(requests.map(({ id }) => id)).toEqual([second!.id]);
  await gate.deny(second!.id);
  await gate.ended(turn);
});

it("an answer for longer writes the narrowest rule, which decides the next call but none that was asked before", async () => {
  const { risky, turn, sessionId } = await ask([
    ["edit", { path: "/x/a" }],
    ["edit", { path: "/x/a", again: true }],
  ]);
  const [first, second] = await gate.open(sessionId, 2);
  const { appliedScope, rule } = await gate.approve(first!.id, { scope: PermissionScope.SESSION });
  expect(appliedScope).toBe(PermissionScope.SESSION);
  expect(rule).toMatchObject({
    effect: RuleEffect.ALLOW,
    tool: "edit",
    pattern: "/x/a",
    sessionId,
    createdBy: "admin",
  });
  await gate.resting(sessionId);
  expect(risky.ran).toHaveLength(1);
  await gate.deny(second!.id);
  await gate.ended(turn);
  await gate.ended(
    await askAgain(sessionId, [
      ["edit", { path: "/x/a" }],
      ["none", {}],
    ]),
  );
  expect(told().slice(-2)).toEqual(["did edit", "did none"]);
});

it("a rule is written for the scope that is asked for: a folder's or everybody's, allowing or denying", async () => {
  const { turn, sessionId } = await ask([["edit", { path: "/x/a" }]]);
  const { workspace } = await gate.session(sessionId);
  const [first] = await gate.open(sessionId);
  const allowed = await gate.approve(first!.id, { scope: PermissionScope.WORKSPACE });
  expect(allowed).toMatchObject({ appliedScope: PermissionScope.WORKSPACE, rule: { workspace, sessionId: "" } });
  await gate.ended(turn);
  const next = await askAgain(sessionId, [["destructive", { path: "/x/b" }]]);
  const [second] = await gate.open(sessionId);
  const rule = { effect: RuleEffect.DENY, scope: PermissionScope.GLOBAL, tool: "destr*", pattern: "/x/**" };
  const denied = await gate.deny(second!.id, { rule });
  expect(denied).toMatchObject({ appliedScope: PermissionScope.GLOBAL, rule: { ...rule, workspace: "" } });
  await gate.ended(next);
  const { id: other } = await createSession(turns.engine);
  const check = { sessionId: other, tool: "destructive", arguments: { path: "/x/c" } };
  expect(await turns.engine.permissions.checkPermission(check)).toMatchObject({ decision: CheckDecision.DENY });
});

it("where no rule could speak for a call, an answer for longer is for once, and says so", async () => {
  const { turn, sessionId } = await ask([["destructive", {}]]);
  const [request] = await gate.open(sessionId);
  expect(request!.permission!.suggestedRules).toEqual([]);
  const resolved = await gate.approve(request!.id, { scope: PermissionScope.GLOBAL });
  expect(resolved.appliedScope).toBe(PermissionScope.ONCE);
  expect(resolved.rule).toBeUndefined();
  await gate.ended(turn);
  expect(await rulesOf(sessionId)).toEqual([]);
});

it("whoever changes a call does not allow what it was before, for however long the answer is", async () => {
  const { turn, sessionId } = await ask([["edit", { path: "/x/a" }]]);
  const [request] = await gate.open(sessionId);
  expect(request!.permission!.suggestedRules).not.toEqual([]);
  const changed = { arguments: { path: "/x/b" }, scope: PermissionScope.SESSION };
  const resolved = await gate.approve(request!.id, changed);
  expect(resolved.appliedScope).toBe(PermissionScope.ONCE);
  await gate.ended(turn);
  expect(await rulesOf(sessionId)).toEqual([]);
});

it("answers that contradict themselves are refused, with the field and what to do, and use nothing up", async () => {
  const { turn, sessionId } = await ask([["edit", {}]], { workspace: "" });
  const requestId = (await gate.open(sessionId))[0]!.id;
  const rule = { effect: RuleEffect.ALLOW, scope: PermissionScope.SESSION, tool: "edit", pattern: "" };
  const refused: readonly (readonly [() => Promise<unknown>, string, string?])[] = [
    [() => gate.approve(requestId, { rule, scope: PermissionScope.ONCE }), "INVALID_RULE", "scope"],
    [() => gate.approve(requestId, { rule, scope: PermissionScope.GLOBAL }), "INVALID_RULE", "rule.scope"],
    [() => gate.approve(requestId, { rule: { ...rule, effect: RuleEffect.DENY } }), "INVALID_RULE", "rule.effect"],
    [() => gate.deny(requestId, { rule }), "INVALID_RULE", "rule.effect"],
    [() => gate.approve(requestId, { rule: { ...rule, tool: "safe" } }), "INVALID_RULE", "rule.tool"],
    [() => gate.deny(requestId, { arguments: {} }), "INVALID_FIELD", "arguments"],
    [() => gate.approve(requestId, { arguments: { a: "x".repeat(1024 * 1024) } }), "INVALID_FIELD", "arguments"],
    [() => gate.approve(requestId, { arguments: nested(31) }), "INVALID_FIELD", "arguments"],
    [() => gate.approve(requestId, { reason: "x".repeat(4001) }), "INVALID_FIELD", "reason"],
    [() => gate.approve("req_none"), "REQUEST_NOT_FOUND"],
    [
      () => turns.engine.requests.respondRequest({ requestId, answer: { content: { case: "text", value: "yes" } } }),
      "USE_RESOLVE_PERMISSION",
    ],
    [
      () =>
        turns.engine.requests.respondRequest({
          requestId,
          answer: { content: { case: "permission", value: { decision: PermissionDecision.APPROVE } } },
        }),
      "USE_RESOLVE_PERMISSION",
      "answer",
    ],
  ];
  for (const [call, reason, field] of refused) {
    const refusal = await refusalOf(call());
    expect(refusal.reason).toBe(reason);
    expect([...refusal.fields, refusal.metadata["field"]]).toContain(field);
  }
  const { request: question } = await turns.engine.requests.createRequest({ sessionId, title: "which?" });
  expect(await refusalOf(gate.approve(question!.id))).toMatchObject({ reason: "NOT_A_PERMISSION" });
  await gate.approve(requestId);
  await gate.ended(turn);
});

it.each([
  ["dismissed", "dismissRequest", RequestState.DISMISSED, /did not want to decide: not now/],
  ["taken back", "cancelRequest", RequestState.CANCELLED, /taken back: not now/],
] as const)("a request that is %s denies its call", async (_what, method, state, words) => {
  const { risky, turn, sessionId } = await ask([["edit", {}]]);
  const requestId = (await gate.open(sessionId))[0]!.id;
  const { request } = await turns.engine.requests[method]({ requestId, reason: "not now" });
  expect(request!.state).toBe(state);
  await gate.ended(turn);
  expect(risky.ran).toEqual([]);
  expect(told()).toEqual([expect.stringMatching(words)]);
});

it("nobody is asked in RESTRICTED, and a deny rule holds in TRUST_ALL", async () => {
  const { risky, turn, sessionId } = await ask([["edit", {}]], { approvalMode: ApprovalMode.RESTRICTED });
  await gate.ended(turn);
  const rule = { effect: RuleEffect.DENY, scope: PermissionScope.SESSION, tool: "edit", pattern: "/x/**" };
  await turns.engine.permissions.createRule({ sessionId, rule });
  await turns.engine.permissions.setApprovalMode({ sessionId, mode: ApprovalMode.TRUST_ALL });
  await gate.ended(
    await askAgain(sessionId, [
      ["unknown", {}],
      ["edit", { path: "/x/a" }],
    ]),
  );
  expect(risky.ran).toEqual(["unknown {}"]);
  expect((await turns.engine.requests.listRequests({ sessionId, states: [1, 2, 3, 4, 5] })).requests).toEqual([]);
  expect(told()).toEqual([
    expect.stringMatching(/denied/),
    "did unknown",
    expect.stringMatching(/denied.*a rule of scope session denies edit \/x\/\*\*/),
  ]);
});

it("a mode is in force for the next decision of the same turn, and asks nobody again who was asked", async () => {
  const { risky, turn, sessionId } = await ask([["edit", { n: 1 }]]);
  const [request] = await gate.open(sessionId);
  await turns.engine.permissions.setApprovalMode({ sessionId, mode: ApprovalMode.TRUST_ALL });
  await gate.resting(sessionId);
  expect(risky.ran).toEqual([]);
  const asked = turns.upstream.requests.length;
  turns.upstream.script((answer) => {
    if (turns.upstream.requests.length > asked + 1) return answer.end();
    answer.call("next", "edit", '{"n":2}');
    answer.end("tool_calls");
  });
  await gate.approve(request!.id);
  await gate.ended(turn);
  expect(risky.ran).toEqual(['edit {"n":1}', 'edit {"n":2}']);
});

it("what was decided on a call is told later: what, why, by which rule, by which request and whom", async () => {
  const { turn, sessionId } = await ask([
    ["none", {}],
    ["edit", {}],
    ["edit", { wrong: 1 }],
  ]);
  const [request] = await gate.open(sessionId);
  const { permissions } = turns.engine;
  const asked = await permissions.checkPermission({ sessionId, callId: request!.permission!.callId });
  expect(asked).toMatchObject({ decision: CheckDecision.ASK, risk: Risk.EDIT, requestId: request!.id, decidedBy: "" });
  await gate.deny(request!.id, { reason: "not today" });
  await gate.ended(turn);
  const denied = await permissions.checkPermission({ sessionId, callId: request!.permission!.callId });
  expect(denied).toMatchObject({ decision: CheckDecision.DENY, requestId: request!.id, decidedBy: "admin" });
  expect(denied.reason).toContain("not today");
  expect(denied.decideTime).toBeDefined();
  const { messages } = await turns.engine.sessions.listMessages({ sessionId });
  const calls = messages.flatMap(({ parts }) =>
    parts.flatMap(({ content }) => (content.case === "toolCall" ? [content.value.callId] : [])),
  );
  const [free = "", , wrong = ""] = calls;
  expect(await permissions.checkPermission({ sessionId, callId: free })).toMatchObject({
    decision: CheckDecision.ALLOW,
    risk: Risk.NONE,
    requestId: "",
  });
  const refusals = [{ callId: wrong }, { callId: "call_none" }, { callId: free, tool: "edit" }, {}];
  const reasons = refusals.map(async (more) => {
    return (await refusalOf(permissions.checkPermission({ sessionId, ...more }))).reason;
  });
  expect(await Promise.all(reasons)).toEqual(["NOT_DECIDED", "CALL_NOT_FOUND", "INVALID_FIELD", "INVALID_FIELD"]);
});
