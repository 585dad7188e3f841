import { afterAll, beforeAll, expect, it } from "vitest";
import { ApprovalMode, CheckDecision, PermissionScope, Risk, RuleEffect } from "../../src/client/client.ts";
import { createSession, refusalOf, replay } from "./observe.ts";
import { startTestEngine, type TestEngine } from "./test-engine.ts";

let engine: TestEngine;

beforeAll(async () => {
  engine = await startTestEngine();
});
afterAll(async () => {
  await engine.dispose();
});

const draft = (
  pattern: string,
  scope: PermissionScope = PermissionScope.SESSION,
  effect: RuleEffect = RuleEffect.ALLOW,
) => ({
  effect,
  scope,
  tool: "shell",
  pattern,
});

async function check(sessionId: string, command: unknown, tool = "shell") {
  return engine.permissions.checkPermission({ sessionId, tool, arguments: { command } as never });
}

it("a rule is in force for the next decision, and no more once it is taken back", async () => {
  const { id: sessionId } = await createSession(engine);
  const asked = await check(sessionId, "git status");
  expect(asked).toMatchObject({ decision: CheckDecision.ASK, risk: Risk.SAFE });
  const [narrowest] = asked.suggestedRules;
  expect(narrowest).toMatchObject({ tool: "shell", pattern: "git status", scope: PermissionScope.SESSION });
  const { rule } = await engine.permissions.createRule({ sessionId, rule: narrowest! });
  expect(await check(sessionId, "git status")).toMatchObject({ decision: CheckDecision.ALLOW, rule: { id: rule!.id } });
  expect((await check(sessionId, "git status; rm x")).decision).toBe(CheckDecision.ASK);
  const { id: other } = await createSession(engine);
  expect((await check(other, "git status")).decision).toBe(CheckDecision.ASK);
  await engine.permissions.deleteRule({ ruleId: rule!.id });
  expect((await check(sessionId, "git status")).decision).toBe(CheckDecision.ASK);
  expect(await refusalOf(engine.permissions.deleteRule({ ruleId: rule!.id }))).toMatchObject({
    reason: "RULE_NOT_FOUND",
  });
});

it("a mode is in force for the next decision, is an event, and falls back to the engine's default", async () => {
  const { id: sessionId, approvalMode } = await createSession(engine);
  expect(approvalMode).toBe(ApprovalMode.DEFAULT);
  const { session } = await engine.permissions.setApprovalMode({ sessionId, mode: ApprovalMode.TRUST_ALL });
  expect(session!.approvalMode).toBe(ApprovalMode.TRUST_ALL);
  expect((await check(sessionId, "rm -rf build")).decision).toBe(CheckDecision.ALLOW);
  const events = await replay(engine, sessionId);
  expect(events.at(-1)).toMatchObject({
    payload: { case: "sessionChanged", value: { session: { approvalMode: ApprovalMode.TRUST_ALL } } },
  });
  await engine.sessions.updateSession({ sessionId, approvalMode: ApprovalMode.PLAN });
  expect(await engine.permissions.getPolicy({ sessionId })).toMatchObject({ mode: ApprovalMode.PLAN });
  const back = await engine.permissions.setApprovalMode({ sessionId });
  expect(back.session!.approvalMode).toBe(ApprovalMode.DEFAULT);
});

it("the policy names the rules in the order in which they are looked at, and what is protected", async () => {
  const { id: sessionId } = await createSession(engine, {
    rules: [draft("a"), draft("b", PermissionScope.SESSION, RuleEffect.DENY), draft("c")],
  });
  const { rules, protectedPaths } = await engine.permissions.getPolicy({ sessionId });
  expect(rules.map(({ pattern, createdBy }) => [pattern, createdBy])).toEqual([
    ["b", "admin"],
    ["c", "admin"],
    ["a", "admin"],
  ]);
  expect(protectedPaths).toContain("**/.git/hooks");
  const { session: fork } = await engine.sessions.forkSession({ sessionId });
  const forked = await engine.permissions.getPolicy({ sessionId: fork!.id });
  expect(forked.rules.map(({ pattern }) => pattern)).toEqual(["b", "c", "a"]);
  await engine.sessions.deleteSession({ sessionId });
  const left = (await engine.permissions.listRules({ pageSize: 200 })).rules.map((rule) => rule.sessionId);
  expect(left).toContain(fork!.id);
  expect(left).not.toContain(sessionId);
});

it("replacing puts all rules of a place in one step, or none", async () => {
  const { id: sessionId } = await createSession(engine, { rules: [draft("a")] });
  const scope = PermissionScope.SESSION;
  const bad = engine.permissions.replaceRules({ sessionId, scope, rules: [draft("b"), draft("x; y")] });
  expect(await refusalOf(bad)).toMatchObject({ code: "INVALID_ARGUMENT", reason: "INVALID_RULE" });
  const patterns = async () =>
    (await engine.permissions.listRules({ sessionId, scope })).rules.map((rule) => rule.pattern);
  expect(await patterns()).toEqual(["a"]);
  await engine.permissions.replaceRules({ sessionId, scope, rules: [draft("b"), draft("c")] });
  expect(await patterns()).toEqual(["c", "b"]);
  await engine.permissions.replaceRules({ sessionId, scope, rules: [] });
  expect(await patterns()).toEqual([]);
});

it("the same key makes one rule, however often and at once it is sent; other content is refused", async () => {
  const { id: sessionId } = await createSession(engine);
  const request = { idempotencyKey: "k1", sessionId, rule: draft("git status") };
  const made = await Promise.all(Array.from({ length: 8 }, () => engine.permissions.createRule(request)));
  expect(new Set(made.map(({ rule }) => rule!.id)).size).toBe(1);
  const other = engine.permissions.createRule({ ...request, rule: draft("git log") });
  expect(await refusalOf(other)).toMatchObject({ reason: "IDEMPOTENCY_KEY_REUSED" });
});

it.each([
  ["a chain", draft("git status; x"), {}],
  ["a star within a word", draft("git st*"), {}],
  ["a tool with a blank", { ...draft("x"), tool: "a b" }, {}],
  ["a path that goes up", { ...draft("../x"), tool: "write_file" }, {}],
  ["a session where it is for all", draft("x", PermissionScope.GLOBAL), {}],
  ["no folder where it is for one", draft("x", PermissionScope.WORKSPACE), { sessionId: "" }],
])("a rule with %s is refused", async (_what, rule, more) => {
  const { id: sessionId } = await createSession(engine);
  expect(await refusalOf(engine.permissions.createRule({ sessionId, rule, ...more }))).toMatchObject({
    code: "INVALID_ARGUMENT",
    reason: "INVALID_RULE",
  });
});

it("a place has 300 rules at most", async () => {
  const { id: sessionId } = await createSession(engine);
  const rules = Array.from({ length: 300 }, (_, i) => draft(`x ${i}`));
  await engine.permissions.replaceRules({ sessionId, scope: PermissionScope.SESSION, rules });
  expect(await refusalOf(engine.permissions.createRule({ sessionId, rule: draft("y") }))).toMatchObject({
    code: "RESOURCE_EXHAUSTED",
    reason: "TOO_MANY_RULES",
  });
});

it("a call is judged only of a tool that there is, with arguments that it takes", async () => {
  const { id: sessionId } = await createSession(engine);
  expect((await check(sessionId, undefined, "now")).decision).toBe(CheckDecision.ALLOW);
  expect(await refusalOf(check(sessionId, "x", "no_such_tool"))).toMatchObject({ reason: "TOOL_NOT_FOUND" });
  for (const command of [undefined, "", "  ", 5, null, ["x"]]) {
    expect(await refusalOf(check(sessionId, command))).toMatchObject({ reason: "INVALID_TOOL_ARGUMENTS" });
  }
});

it("a session that is not known to the deciding is refused, and a rule in a new one that is none leaves no session", async () => {
  const before = (await engine.sessions.listSessions({ pageSize: 200 })).sessions.length;
  const refused = engine.sessions.createSession({ rules: [draft("x", PermissionScope.GLOBAL)] });
  expect(await refusalOf(refused)).toMatchObject({ reason: "INVALID_RULE" });
  expect((await engine.sessions.listSessions({ pageSize: 200 })).sessions.length).toBe(before);
});
