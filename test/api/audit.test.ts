import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { afterEach, expect, test } from "vitest";
import {
  Access_Scope,
  ApprovalMode,
  type AuditEntry,
  createClient,
  PermissionScope,
  RuleEffect,
} from "../../src/client/client.ts";
import { verifyAudit } from "../../src/doctor/audit-checks.ts";
import { makeTempDir } from "../helpers/engine-process.ts";
import { exported, upload } from "./files.ts";
import { createSession, refusalOf, runTurn } from "./observe.ts";
import { startTestEngine, type TestEngine } from "./test-engine.ts";

const engines: TestEngine[] = [];
afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.dispose();
});

async function start(): Promise<TestEngine> {
  const engine = await startTestEngine();
  engines.push(engine);
  return engine;
}

/** All of them, the oldest first. */
async function entriesOf(engine: TestEngine, filter: object = {}): Promise<AuditEntry[]> {
  const { entries } = await engine.engine.listAuditEntries({ pageSize: 1000, ...filter });
  return entries.toReversed();
}

const actionsOf = async (engine: TestEngine, filter: object = {}): Promise<string[]> =>
  (await entriesOf(engine, filter)).map(({ action }) => action);

const problemsOf = (engine: TestEngine): readonly string[] => verifyAudit(engine.dataDir, []).problems;

const rule = { effect: RuleEffect.ALLOW, scope: PermissionScope.SESSION, tool: "shell", pattern: "git status" };

test("who made tokens, rules, modes and trust is written down, with what they made", async () => {
  const engine = await start();
  const { token, secret } = await engine.engine.createToken({ name: "ci", scope: Access_Scope.ADMIN });
  const ci = createClient({ url: engine.url, token: secret });
  const { id: sessionId } = await createSession(engine, { workspace: makeTempDir("audit") });
  const made = await ci.permissions.createRule({ sessionId, rule });
  await ci.permissions.deleteRule({ ruleId: made.rule!.id });
  await ci.permissions.replaceRules({ scope: PermissionScope.SESSION, sessionId, rules: [rule] });
  await ci.permissions.setApprovalMode({ sessionId, mode: ApprovalMode.PLAN });
  await ci.permissions.setApprovalMode({ sessionId, mode: ApprovalMode.PLAN });
  const { session } = await ci.sessions.getSession({ sessionId });
  await ci.workspaces.setWorkspaceTrust({ path: session!.workspace, trusted: true });
  ci.close();
  await engine.engine.revokeToken({ tokenId: token!.id });

  const entries = await entriesOf(engine);
  expect(entries.map(({ actor, action }) => `${actor} ${action}`)).toEqual([
    " ENGINE_STARTED",
    "admin TOKEN_CREATED",
    "ci RULE_CREATED",
    "ci RULE_REMOVED",
    "ci RULES_REPLACED",
    "ci RULE_CREATED",
    "ci APPROVAL_MODE_SET",
    "ci WORKSPACE_TRUST_SET",
    "admin TOKEN_REVOKED",
  ]);
  expect(entries[2]).toMatchObject({ sessionId, target: made.rule!.id });
  expect(JSON.parse(entries[2]!.detail)).toMatchObject({ effect: "allow", tool: "shell", pattern: "git status" });
  expect(JSON.parse(entries[6]!.detail)).toEqual({ from: "default", to: "plan" });
  expect(
    JSON.stringify(entries, (_key, value: unknown) => (typeof value === "bigint" ? String(value) : value)),
  ).not.toContain(secret);
  expect(problemsOf(engine)).toEqual([]);
});

test("who cleared and rewound histories and deleted sessions is written down, once each", async () => {
  const engine = await start();
  const { token, secret } = await engine.engine.createToken({ name: "ci", scope: Access_Scope.OPERATE });
  const ci = createClient({ url: engine.url, token: secret });
  const { id: sessionId } = await createSession(engine, {});
  const { id: other } = await createSession(engine, {});
  await runTurn(engine, sessionId, "one");
  const { messages } = await ci.sessions.listMessages({ sessionId });
  await ci.sessions.rewindSession({ sessionId, messageId: messages[1]!.id });
  await ci.sessions.clearHistory({ sessionId });
  await ci.sessions.clearHistory({ sessionId });
  await ci.sessions.batchDeleteSessions({ sessionIds: [sessionId, other, "ses_gone"] });
  await refusalOf(ci.sessions.deleteSession({ sessionId }));
  ci.close();

  const entries = (await entriesOf(engine)).filter(({ actor }) => actor === token!.name);
  expect(entries.map(({ action, sessionId: id, target }) => [action, id, target])).toEqual([
    ["HISTORY_CUT", sessionId, messages[1]!.id],
    ["HISTORY_CUT", sessionId, ""],
    ["SESSION_DELETED", expect.any(String), ""],
    ["SESSION_DELETED", expect.any(String), ""],
  ]);
  expect(
    entries
      .slice(2)
      .map(({ sessionId: id }) => id)
      .toSorted(),
  ).toEqual([sessionId, other].toSorted());
  expect(problemsOf(engine)).toEqual([]);
});

test("what is refused leaves no entry", async () => {
  const engine = await start();
  await refusalOf(engine.engine.revokeToken({ tokenId: "tok_none" }));
  await refusalOf(engine.permissions.deleteRule({ ruleId: "rule_none" }));
  await refusalOf(engine.permissions.createRule({ sessionId: "ses_none", rule }));
  await refusalOf(engine.workspaces.setWorkspaceTrust({ path: "/nowhere/at/all", trusted: true }));
  expect(await actionsOf(engine)).toEqual(["ENGINE_STARTED"]);
});

test("sessions begin with an entry only where they may do more or less than others, and text leaves none", async () => {
  const engine = await start();
  const { id } = await createSession(engine, { profile: "demo" });
  await runTurn(engine, id, "echo: hello");
  expect(await actionsOf(engine)).toEqual(["ENGINE_STARTED"]);
  await createSession(engine, { approvalMode: ApprovalMode.TRUST_ALL });
  expect(await actionsOf(engine)).toEqual(["ENGINE_STARTED", "APPROVAL_MODE_SET"]);
});

test("callers without a token, with a wrong one and with too small a one are written down, and guessers are counted", async () => {
  const engine = await start();
  const { secret } = await engine.engine.createToken({ name: "reader", scope: Access_Scope.READ });
  const url = `${engine.url}/parley.v1.EngineService/ListTokens`;
  const call = async (authorization?: string): Promise<number> => {
    const headers = { "content-type": "application/json", ...(authorization !== undefined && { authorization }) };
    return (await fetch(url, { method: "POST", headers, body: "{}" })).status;
  };
  expect([await call(), await call(`Bearer ${secret}`)]).toEqual([401, 403]);
  await Promise.all(Array.from({ length: 40 }, (_, i) => call(`Bearer guess-${i}`)));
  await fetch(`${engine.url}/blobs`, { method: "POST", body: "x" });
  const failures = await entriesOf(engine, { action: "AUTH_FAILED" });
  expect(failures).toHaveLength(5);
  expect(failures[0]).toMatchObject({ target: "127.0.0.1", actor: "" });
  expect(JSON.parse(failures[0]!.detail)).toEqual({
    reason: "TOKEN_MISSING",
    method: "parley.v1.EngineService/ListTokens",
  });
  expect(failures[1]).toMatchObject({ actor: "reader" });
  const again = await engine.restart();
  engines.push(again);
  const [counted] = (await entriesOf(again, { action: "AUTH_FAILED" })).slice(5);
  expect(JSON.parse(counted!.detail)).toEqual({ reason: "TOKEN_MISSING", method: "POST /blobs", count: 38 });
  expect(JSON.stringify(failures.map(({ detail }) => detail))).not.toContain("guess-");
});

test("an answered, a dismissed and a cancelled request are written down without what was said", async () => {
  const engine = await start();
  const ids: string[] = [];
  for (const title of ["one?", "two?", "three?"]) {
    ids.push((await engine.requests.createRequest({ title })).request!.id);
  }
  const answer = { content: { case: "text", value: "a private thing" } } as const;
  await engine.requests.respondRequest({ requestId: ids[0]!, answer });
  await engine.requests.dismissRequest({ requestId: ids[1]! });
  await engine.requests.cancelRequest({ requestId: ids[2]!, reason: "no longer needed" });
  const entries = await entriesOf(engine, { action: "REQUEST_ENDED" });
  expect(entries.map(({ target }) => target)).toEqual(ids);
  expect(entries.map(({ detail }) => JSON.parse(detail) as object)).toEqual([
    { kind: "question", state: "answered", answer: "text" },
    { kind: "question", state: "dismissed" },
    { kind: "question", state: "cancelled", reason: "no longer needed" },
  ]);
});

test("exports, imports and backups are written down, and a backup's manifest names an end of the log", async () => {
  const engine = await start();
  const { id } = await createSession(engine, {});
  const file = await exported(engine, [id]);
  await engine.sessions.importSessions({ blobs: [await upload(engine, file)] });
  const { path } = await engine.engine.createBackup({});
  const entries = await entriesOf(engine);
  expect(entries.map(({ action }) => action)).toEqual([
    "ENGINE_STARTED",
    "SESSIONS_EXPORTED",
    "SESSIONS_IMPORTED",
    "BACKUP_CREATED",
  ]);
  expect(entries[3]!.target).toBe(path);
  const { auditHead } = JSON.parse(readFileSync(join(path, "manifest.json"), "utf8")) as { auditHead: string };
  expect(auditHead).toBe(`3:${entries[2]!.hash}`);
  expect(verifyAudit(engine.dataDir, [auditHead]).problems).toEqual([]);
});

test("a start, a clean stop and a start after that are chained, and whoever has an export can check it", async () => {
  const engine = await start();
  await engine.engine.createToken({ name: "naïve-1".replace("ï", "i"), scope: Access_Scope.READ });
  const again = await engine.restart();
  engines.push(again);
  const entries = await entriesOf(again);
  expect(entries.map(({ action }) => action)).toEqual([
    "ENGINE_STARTED",
    "TOKEN_CREATED",
    "ENGINE_STOPPED",
    "ENGINE_STARTED",
  ]);
  let previous = "0".repeat(64);
  for (const { seq, createTime, actor, action, sessionId, target, detail, prevHash, hash } of entries) {
    const text = JSON.stringify([Number(seq), timestampMs(createTime!), actor, action, sessionId, target, detail]);
    expect(prevHash).toBe(previous);
    expect(hash).toBe(createHash("sha256").update(Buffer.from(prevHash, "hex")).update(text).digest("hex"));
    previous = hash;
  }
});

test("entries come page by page by session, action, actor and time, and outlive their session", async () => {
  const engine = await start();
  const { id: sessionId } = await createSession(engine, {});
  for (let i = 0; i < 5; i++)
    await engine.permissions.createRule({ sessionId, rule: { ...rule, pattern: `git ${i}` } });
  await engine.sessions.deleteSession({ sessionId });
  const seen: bigint[] = [];
  let pageToken = "";
  do {
    const page = await engine.engine.listAuditEntries({ sessionId, pageSize: 2, pageToken });
    seen.push(...page.entries.map(({ seq }) => seq));
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  expect(seen).toEqual([7n, 6n, 5n, 4n, 3n, 2n]);
  expect(await actionsOf(engine, { actor: "admin" })).toHaveLength(6);
  expect(await actionsOf(engine, { actor: "nobody" })).toEqual([]);
  expect(await actionsOf(engine, { since: timestampFromMs(Date.now() + 60_000) })).toEqual([]);
  const first = await engine.engine.listAuditEntries({ pageSize: 1 });
  const other = engine.engine.listAuditEntries({ pageSize: 1, pageToken: first.nextPageToken, actor: "admin" });
  expect(await refusalOf(other)).toMatchObject({ reason: "INVALID_PAGE_TOKEN" });
});
