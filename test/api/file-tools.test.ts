import { symlink } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import {
  ApprovalMode,
  PermissionDecision,
  PermissionScope,
  type Request,
  RuleEffect,
  ToolCallState,
  TurnState,
} from "../../src/client/client.ts";
import { type AskedCall, useFiles } from "./file-world.ts";
import { createSession, endOf, listMessages, refusalOf, text, watchUntil } from "./observe.ts";
import { says } from "./scripted-upstream.ts";

const world = useFiles();

/** A session in which people are asked. */
async function withMode(approvalMode: ApprovalMode): Promise<void> {
  await world.engine.sessions.updateSession({ sessionId: world.sessionId, approvalMode });
}

/** What the last calls came to, in order. */
async function results(): Promise<{ readonly state: ToolCallState; readonly text: string }[]> {
  return (await listMessages(world.engine, world.sessionId)).flatMap(({ parts }) =>
    parts.flatMap(({ content }) => (content.case === "toolResult" ? [content.value] : [])),
  );
}

async function asked(): Promise<Request> {
  const { events } = await watchUntil(world.engine, world.sessionId, ({ payload }) => payload.case === "requestOpened");
  const payload = events.at(-1)?.payload;
  if (payload?.case !== "requestOpened") throw new Error("nothing was asked");
  return payload.value.request!;
}

it("an edit is asked about with its diff, and made when a human approves it; reading and searching are not asked about", async () => {
  await withMode(ApprovalMode.DEFAULT);
  await world.put("src/a.ts", "const one = 1;\n");
  const turn = await world.start(
    ["read_file", { path: "src/a.ts" }],
    ["grep", { pattern: "one" }],
    ["glob", { pattern: "**/*.ts" }],
    ["list_files", {}],
    ["edit_file", { path: "src/a.ts", old_text: "one = 1", new_text: "two = 2" }],
  );
  const request = await asked();
  expect(request.permission).toMatchObject({
    tool: "edit_file",
    diff: "--- a/src/a.ts\n+++ b/src/a.ts\n@@ -1,1 +1,1 @@\n-const one = 1;\n+const two = 2;\n",
  });
  expect(await world.get("src/a.ts")).toBe("const one = 1;\n");
  await world.engine.permissions.resolvePermission({ requestId: request.id, decision: PermissionDecision.APPROVE });
  const ended = await endOf(world.engine, turn);
  expect(ended.state).toBe(TurnState.ENDED);
  expect(await world.get("src/a.ts")).toBe("const two = 2;\n");
  expect((await results()).map(({ text }) => text)).toEqual([
    "const one = 1;\n",
    "src/a.ts:1: const one = 1;",
    "src/a.ts",
    "src/",
    "edited src/a.ts (1 place)",
  ]);
  expect((await world.told()).map(({ diff }) => diff)).toEqual([request.permission?.diff]);
});

it("an edit that does not fit any more when a human approves it is told to the human, who can still deny it", async () => {
  await withMode(ApprovalMode.DEFAULT);
  await world.put("a.txt", "one\n");
  const turn = await world.start(["edit_file", { path: "a.txt", old_text: "one", new_text: "two" }]);
  const { id: requestId } = await asked();
  await world.put("a.txt", "mine\n");
  const approved = world.engine.permissions.resolvePermission({ requestId, decision: PermissionDecision.APPROVE });
  expect(await refusalOf(approved)).toMatchObject({ reason: "INVALID_TOOL_ARGUMENTS" });
  await world.engine.permissions.resolvePermission({ requestId, decision: PermissionDecision.DENY });
  await endOf(world.engine, turn);
  expect(await world.get("a.txt")).toBe("mine\n");
  expect(await results()).toMatchObject([{ state: ToolCallState.DENIED }]);
});

it.each([
  ["edit_file", { path: "a.txt", old_text: "const KEY = 'guess'", new_text: "x" }],
  ["edit_file", { path: "none.txt", old_text: "x", new_text: "y" }],
  ["apply_patch", { patch: "--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-guess\n+x\n" }],
] as const)("nothing of a file is told before somebody let it be looked at: %s %j", async (name, args) => {
  await world.put("a.txt", "const KEY = 'secret'\n");
  const { permissions, sessions } = world.engine;
  const { sessionId } = world;
  await withMode(ApprovalMode.CONFIRM_ALL);
  const turn = await world.start([name, args]);
  const { id: requestId, body, permission } = await asked();
  expect(permission?.diff).toBe("");
  expect(body).toContain("it can only be changed or denied");
  expect(body).not.toContain("secret");
  const approved = permissions.resolvePermission({ requestId, decision: PermissionDecision.APPROVE });
  expect(await refusalOf(approved)).toMatchObject({ reason: "INVALID_TOOL_ARGUMENTS" });
  await permissions.resolvePermission({ requestId, decision: PermissionDecision.DENY });
  await endOf(world.engine, turn);
  // A rule for the file says no in every mode, and no more than that.
  const rule = { effect: RuleEffect.DENY, scope: PermissionScope.SESSION, tool: "*", pattern: "*.txt" };
  await permissions.createRule({ sessionId, rule });
  for (const mode of [ApprovalMode.DEFAULT, ApprovalMode.TRUST_ALL]) {
    await withMode(mode);
    await world.run([name, args]);
  }
  const told = await results();
  expect(told.map(({ state }) => state)).toEqual([ToolCallState.DENIED, ToolCallState.DENIED, ToolCallState.DENIED]);
  expect(told.filter(({ text: words }) => /secret|no such file|not in the file|fit/.test(words))).toEqual([]);
  // Control: who may read it is told what is nearest, without a human.
  await permissions.replaceRules({ scope: PermissionScope.SESSION, sessionId, rules: [] });
  await withMode(ApprovalMode.DEFAULT);
  await world.run([name, args]);
  expect((await results()).at(-1)).toMatchObject({ state: ToolCallState.FAILED });
  expect((await sessions.getSession({ sessionId })).session?.waitingOn).toBeUndefined();
});

it("what would change other lines than a human was shown is not done, though it was approved", async () => {
  await withMode(ApprovalMode.DEFAULT);
  await world.put("a.txt", "one\n");
  const turn = await world.start(["write_file", { path: "a.txt", content: "two\n" }]);
  const { id: requestId } = await asked();
  await world.put("a.txt", "one\nand what I wrote since\n");
  await world.engine.permissions.resolvePermission({ requestId, decision: PermissionDecision.APPROVE });
  await endOf(world.engine, turn);
  expect(await world.get("a.txt")).toBe("one\nand what I wrote since\n");
  expect(await results()).toMatchObject([
    { state: ToolCallState.FAILED, text: expect.stringContaining("the file was changed since") as string },
  ]);
});

it("two edits of one file that are approved one after the other are both done: each changes what was shown", async () => {
  await withMode(ApprovalMode.DEFAULT);
  await world.put("a.txt", "one\ntwo\nthree\n");
  world.upstream.script((answer, { messages }) => {
    if (messages.at(-1)?.role === "tool") return says(answer, "done");
    answer.call("a", "edit_file", JSON.stringify({ path: "a.txt", old_text: "one", new_text: "1\n1.5" }));
    answer.call("b", "edit_file", JSON.stringify({ path: "a.txt", old_text: "three", new_text: "3" }));
    answer.end("tool_calls");
  });
  const { turn } = await world.engine.messages.startTurn({ sessionId: world.sessionId, parts: text("go") });
  const ids = new Set<string>();
  await watchUntil(world.engine, world.sessionId, ({ payload }) => {
    if (payload.case === "requestOpened") ids.add(payload.value.request!.id);
    return ids.size === 2;
  });
  for (const requestId of ids) {
    await world.engine.permissions.resolvePermission({ requestId, decision: PermissionDecision.APPROVE });
    await watchUntil(world.engine, world.sessionId, ({ payload }) => payload.case === "fileChanged");
  }
  await endOf(world.engine, turn);
  expect(await world.get("a.txt")).toBe("1\n1.5\ntwo\n3\n");
});

it.each<[ApprovalMode, string, boolean]>([
  [ApprovalMode.PLAN, "PLAN", false],
  [ApprovalMode.RESTRICTED, "RESTRICTED", false],
  [ApprovalMode.AUTO_APPROVE_EDITS, "AUTO_APPROVE_EDITS", true],
  [ApprovalMode.TRUST_ALL, "TRUST_ALL", true],
])("mode %i (%s) edits unasked: %s", async (mode, _name, isMade) => {
  await withMode(mode);
  await world.run(["write_file", { path: "a.txt", content: "a" }]);
  expect(await world.get("a.txt")).toBe(isMade ? "a" : undefined);
});

it("what is protected, outside or the engine's own is refused in every mode, and nobody is asked", async () => {
  await symlink("/etc", join(world.workspace, "etc"));
  const calls: readonly AskedCall[] = [
    ["write_file", { path: ".git/hooks/pre-commit", content: "x" }],
    ["write_file", { path: ".BashRC", content: "x" }],
    ["write_file", { path: "../../token", content: "x" }],
    ["read_file", { path: "../../token" }],
    ["read_file", { path: `${world.engine.dataDir}/parley.db` }],
    ["read_file", { path: "etc/passwd" }],
    ["grep", { pattern: "root", path: "etc" }],
    ["apply_patch", { patch: "--- /dev/null\n+++ b/etc/x\n@@ -0,0 +1 @@\n+x\n" }],
  ];
  for (const mode of [ApprovalMode.TRUST_ALL, ApprovalMode.CONFIRM_ALL]) {
    await withMode(mode);
    await world.run(...calls);
  }
  const all = await results();
  expect(all).toHaveLength(2 * calls.length);
  for (const { state, text } of all) {
    expect(text).toMatch(/protected|leads out of the workspace|engine's own/);
    expect([ToolCallState.FAILED, ToolCallState.DENIED]).toContain(state);
  }
  expect((await world.engine.requests.listRequests({ states: [1, 2, 3, 4, 5] })).requests).toEqual([]);
  expect(await world.told()).toEqual([]);
});

it("a picture that is read is shown to the model", async () => {
  const png = Buffer.from(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
    "base64",
  );
  await world.put("dot.png", png);
  await world.run(["read_file", { path: "dot.png" }]);
  const sent = JSON.stringify(world.upstream.requests.at(-1)?.messages);
  expect(sent).toContain(`data:image/png;base64,${png.toString("base64")}`);
  expect((await results())[0]?.text).toBe(`dot.png: a picture (image/png, ${png.length} bytes)`);
});

it("two sessions in one folder change a file one after the other, and each undoes only what it has left", async () => {
  await world.put("a.txt", "0\n");
  const first = await world.run(["write_file", { path: "a.txt", content: "1\n" }]);
  const { id: sessionId } = await createSession(world.engine, { workspace: world.workspace });
  await world.engine.sessions.updateSession({ sessionId, approvalMode: ApprovalMode.TRUST_ALL });
  const mine = world.sessionId;
  world.sessionId = sessionId;
  const second = await world.run(["write_file", { path: "a.txt", content: "2\n" }]);
  world.sessionId = mine;
  expect(await world.revert(first)).toEqual(["a.txt: NOT_AS_LEFT"]);
  world.sessionId = sessionId;
  expect(await world.revert(second)).toEqual(["a.txt: REVERTED"]);
  world.sessionId = mine;
  expect(await world.revert(first)).toEqual(["a.txt: REVERTED"]);
  expect(await world.get("a.txt")).toBe("0\n");
});
