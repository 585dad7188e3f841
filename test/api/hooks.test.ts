import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import {
  ApprovalMode,
  CheckDecision,
  PermissionDecision,
  PermissionScope,
  RuleEffect,
  TurnEndReason,
} from "../../src/client/client.ts";
import { verifyAudit } from "../../src/doctor/audit-checks.ts";
import { makeTempDir } from "../helpers/engine-process.ts";
import { createRiskyTools } from "../helpers/risky-tools.ts";
import { createSession, endOf, refusalOf } from "./observe.ts";
import { openPermission } from "./observe-requests.ts";
import { says } from "./scripted-upstream.ts";
import { useTurns } from "./turn-engine.ts";

const turns = useTurns();

/** A program that bash runs. */
function program(script: string, folder = makeTempDir("hook"), name = "policy"): string {
  const path = join(folder, name);
  writeFileSync(path, `#!/usr/bin/env bash\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}

const answer = (decision: string): string => program(`echo '{"decision":"${decision}","reason":"by policy"}'`);

interface Asked {
  readonly hooks?: object;
  readonly call?: readonly [tool: string, args: object];
  readonly settings?: object;
  /** Runs before the turn. */
  readonly prepare?: (sessionId: string) => Promise<unknown>;
}

/** An engine with hooks, and a turn whose model makes one call. */
async function ask({ hooks = {}, call = ["read", {}], settings = {}, prepare }: Asked) {
  const file = join(makeTempDir("hooks"), "hooks.json");
  writeFileSync(file, JSON.stringify(hooks));
  const risky = createRiskyTools();
  // Of this test, an earlier one.
  await turns.engine?.dispose();
  await turns.start({ tools: risky.tools }, { hooks: file });
  const { id: sessionId } = await createSession(turns.engine, { profile: "openai", ...settings });
  await prepare?.(sessionId);
  const asked = turns.upstream.requests.length;
  turns.upstream.script((upstream) => {
    if (turns.upstream.requests.length > asked + 1) return says(upstream, "done");
    upstream.call("up_0", call[0], JSON.stringify(call[1]));
    upstream.end("tool_calls");
  });
  return { risky, sessionId, turn: await turns.startTurn(sessionId) };
}

/** What the model was told of its call. */
function told(): string {
  const { messages } = turns.upstream.requests.at(-1)!;
  return String(messages.findLast(({ role }) => role === "tool")?.content);
}

async function actionsOf(sessionId: string): Promise<string[]> {
  const { entries } = await turns.engine.engine.listAuditEntries({ sessionId });
  return entries.toReversed().map(({ action, detail }) => {
    const { verdict, outcome } = JSON.parse(detail) as { readonly verdict?: string; readonly outcome?: string };
    return [action, verdict ?? outcome].filter(Boolean).join(" ");
  });
}

it("a hook denies what would have run, and the model is told why", async () => {
  const { risky, turn, sessionId } = await ask({ hooks: { before: [{ command: [answer("deny")] }] } });
  expect(await endOf(turns.engine, turn)).toMatchObject({ endReason: TurnEndReason.COMPLETED });
  expect(risky.ran).toEqual([]);
  expect(told()).toContain("denied and did not run: the hook policy denies it: by policy");
  expect(await actionsOf(sessionId)).toEqual(["PERMISSION_DECIDED deny"]);
});

it("a hook has a human asked, who is told why and offered no rule; the call runs when they let it", async () => {
  const { risky, turn, sessionId } = await ask({ hooks: { before: [{ command: [answer("ask")] }] } });
  const { id: requestId, permission } = await openPermission(turns.engine, sessionId);
  expect(permission).toMatchObject({ reason: "the hook policy wants it asked about: by policy", suggestedRules: [] });
  await turns.engine.permissions.resolvePermission({ requestId, decision: PermissionDecision.APPROVE });
  await endOf(turns.engine, turn);
  expect(risky.ran).toEqual(["read {}"]);
  expect(await actionsOf(sessionId)).toEqual([
    "PERMISSION_DECIDED ask",
    "REQUEST_ENDED",
    "PERMISSION_DECIDED allow",
    "TOOL_STARTED",
    "TOOL_ENDED succeeded",
  ]);
});

it("a hook lets run what the mode would ask about", async () => {
  const { risky, turn } = await ask({ hooks: { before: [{ command: [answer("allow")] }] }, call: ["safe", {}] });
  await endOf(turns.engine, turn);
  expect(risky.ran).toEqual(["safe {}"]);
});

it("a hook cannot let run what an ask rule asks about, a deny rule denies, a path protects, or the mode forbids", async () => {
  const hooks = { before: [{ command: [answer("allow")] }] };
  const rule = (effect: RuleEffect) => (sessionId: string) =>
    turns.engine.permissions.createRule({
      sessionId,
      rule: { effect, scope: PermissionScope.SESSION, tool: "safe", pattern: "" },
    });
  const asked = await ask({ hooks, call: ["safe", {}], prepare: rule(RuleEffect.ASK) });
  expect((await openPermission(turns.engine, asked.sessionId)).permission?.tool).toBe("safe");
  expect(asked.risky.ran).toEqual([]);
  const cases: Asked[] = [
    { call: ["safe", {}], prepare: rule(RuleEffect.DENY) },
    { call: ["edit", { path: "/x/.git/hooks/pre-commit" }] },
    { call: ["safe", {}], settings: { approvalMode: ApprovalMode.PLAN } },
    { call: ["safe", {}], settings: { approvalMode: ApprovalMode.RESTRICTED } },
  ];
  for (const one of cases) {
    const { risky, turn } = await ask({ hooks, ...one });
    await endOf(turns.engine, turn);
    expect(risky.ran).toEqual([]);
    expect(told()).toContain("denied and did not run");
  }
});

it("a hook that fails has a human asked about what would have run unasked, and denies it where nobody is asked", async () => {
  const hooks = { before: [{ name: "broken", command: [program("exit 1")] }] };
  const { sessionId, risky } = await ask({
    hooks,
    settings: { approvalMode: ApprovalMode.TRUST_ALL },
    call: ["safe", {}],
  });
  const { permission } = await openPermission(turns.engine, sessionId);
  expect(permission?.reason).toBe("the hook broken could not be asked: it ended with code 1");
  expect(risky.ran).toEqual([]);
  const { entries } = await turns.engine.engine.listAuditEntries({ action: "HOOK_FAILED" });
  expect(entries).toMatchObject([{ target: "broken", sessionId }]);
  const restricted = await ask({ hooks, settings: { approvalMode: ApprovalMode.RESTRICTED } });
  await endOf(turns.engine, restricted.turn);
  expect(restricted.risky.ran).toEqual([]);
  expect(told()).toContain("nobody is asked in this mode: the hook broken could not be asked");
});

it("a turn is cancelled while a hook is asked, at once, and nothing of the hook is left", async () => {
  const pid = join(makeTempDir("pid"), "pid");
  const { turn, sessionId } = await ask({
    hooks: { before: [{ command: [program(`echo $$ > ${pid}; sleep 300`)], timeoutMs: 60000 }] },
  });
  await expect.poll(() => existsSync(pid) && readFileSync(pid, "utf8").endsWith("\n")).toBe(true);
  await turns.engine.messages.cancelTurn({ sessionId, turnId: turn.id });
  expect(await endOf(turns.engine, turn)).toMatchObject({ endReason: TurnEndReason.CANCELLED });
  const number = Number(readFileSync(pid, "utf8"));
  await expect.poll(() => existsSync(`/proc/${number}`)).toBe(false);
});

it("arguments that a human changes are shown to the hooks, which may deny them", async () => {
  const hook = program(`if grep -q secret; then echo "no secrets" >&2; exit 2; fi; echo '{"decision":"ask"}'`);
  const { risky, turn, sessionId } = await ask({ hooks: { before: [{ command: [hook] }] } });
  const { id: requestId } = await openPermission(turns.engine, sessionId);
  const resolve = (args: object) =>
    turns.engine.permissions.resolvePermission({
      requestId,
      decision: PermissionDecision.APPROVE,
      arguments: args as Record<string, string>,
    });
  expect(await refusalOf(resolve({ text: "the secret" }))).toMatchObject({ reason: "CALL_NOT_ALLOWED" });
  await expect(resolve({ text: "the secret" })).rejects.toThrow("the hook policy denies it: no secrets");
  await resolve({ text: "nothing" });
  await endOf(turns.engine, turn);
  expect(risky.ran).toEqual(['read {"text":"nothing"}']);
});

it("a check names the hooks that would be asked, and asks none", async () => {
  const marker = join(makeTempDir("marker"), "asked");
  const hooks = {
    before: [
      { name: "one", command: [program(`touch ${marker}`)], tools: ["read"] },
      { name: "two", command: ["x"], tools: ["safe"] },
    ],
  };
  const { sessionId } = await ask({ hooks, call: ["none", {}] });
  const check = (tool: string) => turns.engine.permissions.checkPermission({ sessionId, tool });
  expect(await check("read")).toMatchObject({ decision: CheckDecision.ALLOW, hooks: ["one"] });
  expect(await check("safe")).toMatchObject({ decision: CheckDecision.ASK, hooks: ["two"] });
  expect(await check("none")).toMatchObject({ hooks: [] });
  expect(existsSync(marker)).toBe(false);
});

it("hooks of a workspace count once a human trusts it, and a model cannot write them", async () => {
  const workspace = makeTempDir("trusted");
  mkdirSync(join(workspace, ".parley"));
  program(`echo '{"decision":"deny","reason":"not here"}'`, join(workspace, ".parley"));
  writeFileSync(
    join(workspace, ".parley", "hooks.json"),
    JSON.stringify({ before: [{ command: [".parley/policy"] }] }),
  );
  const before = await ask({ settings: { workspace } });
  await endOf(turns.engine, before.turn);
  expect(before.risky.ran).toEqual(["read {}"]);
  const prepare = () => turns.engine.workspaces.setWorkspaceTrust({ path: workspace, trusted: true });
  const after = await ask({ settings: { workspace }, prepare });
  await endOf(turns.engine, after.turn);
  expect(after.risky.ran).toEqual([]);
  expect(told()).toContain("the hook policy denies it: not here");
  const write = turns.engine.permissions.checkPermission({
    sessionId: after.sessionId,
    tool: "write_file",
    arguments: { path: ".parley/hooks.json", content: "{}" },
  });
  await expect(write).rejects.toThrow(".parley is protected");
});

it("a hook is told how calls ended, also one that was cancelled", async () => {
  const record = join(makeTempDir("record"), "calls");
  const hook = program(`cat >> ${record}`);
  const { turn, sessionId, risky } = await ask({
    hooks: { after: [{ command: [hook] }] },
    call: ["read", { hang: true }],
  });
  await expect.poll(() => risky.ran).toHaveLength(1);
  await turns.engine.messages.cancelTurn({ sessionId, turnId: turn.id });
  await expect.poll(() => existsSync(record) && readFileSync(record, "utf8").endsWith("\n")).toBe(true);
  expect(JSON.parse(readFileSync(record, "utf8"))).toMatchObject({
    hook: "after",
    session_id: sessionId,
    tool: "read",
    outcome: "cancelled",
    duration_ms: expect.any(Number) as unknown,
  });
  expect(await actionsOf(sessionId)).toEqual(["PERMISSION_DECIDED allow", "TOOL_STARTED", "TOOL_ENDED cancelled"]);
  expect(verifyAudit(turns.engine.dataDir, []).problems).toEqual([]);
});
