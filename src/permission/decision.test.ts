import { afterEach, beforeEach, expect, test } from "vitest";
import { createFakeClock } from "../../test/helpers/fake-clock.ts";
import { getSession, insertSession } from "../session/session-store.ts";
import type { Database } from "../store/database.ts";
import { openSqlite } from "../store/sqlite.ts";
import type { RiskLevel, Tool } from "../tool/tool.ts";
import { DEFAULT_LIMITS } from "../turn/turn.ts";
import type { ApprovalMode } from "./approval-mode.ts";
import { decide } from "./decision.ts";
import type { Verdict } from "./policy.ts";
import { createProtectedPaths } from "./protected-paths.ts";
import { insertRule } from "./rule-store.ts";
import type { Effect } from "./rule.ts";

const IDS = ["ses_root", "ses_child", "ses_grandchild"] as const;

const toolOf = (name: string, level: RiskLevel): Tool => ({
  name,
  description: "",
  parameters: {},
  assess: () => ({ risk: { level, reason: `it is ${level}` }, subjects: [] }),
  run: async () => ({ text: "" }),
});

let db: Database;
beforeEach(() => {
  db = openSqlite(":memory:");
});
afterEach(() => db.close());

/** A session, the one that its agent started, and the one that that one's started, each with its mode. */
async function makeFamily(...modes: readonly ApprovalMode[]): Promise<void> {
  for (const [i, approvalMode] of modes.entries()) {
    const settings = { title: "", profile: "p", model: "", systemPrompt: "", workspace: "/ws", labels: {} };
    const rest = {
      limits: DEFAULT_LIMITS,
      starred: false,
      resumeAfterRestart: false,
      retryPartial: false,
      approvalMode,
    };
    const parent = { sessionId: IDS[i - 1] ?? "", turnId: "t", callId: "c", rootSessionId: IDS[0] };
    await db.transact(insertSession(IDS[i]!, { ...settings, ...rest }, 1, i === 0 ? {} : { parent }));
  }
}

async function addRule(sessionId: string, effect: Effect, tool: string): Promise<void> {
  const place = { scope: "session", sessionId, workspace: "" } as const;
  const times = { createdBy: "", createTimeMs: 0, expireTimeMs: undefined };
  await db.transact([insertRule({ id: `rule_${sessionId}_${tool}`, effect, tool, pattern: "", ...place, ...times })]);
}

async function verdictOf(sessionId: string, tool: string): Promise<Verdict> {
  const tools = [toolOf("look", "read"), toolOf("change", "edit"), toolOf("destroy", "destructive")];
  const deps = { db, clock: createFakeClock(), tools, protectedPaths: createProtectedPaths("/data") };
  return (await decide(deps, await getSession(db, sessionId), tool, {})).verdict;
}

test("an agent is never freer than those above it, whatever its own mode says", async () => {
  await makeFamily("default", "trust_all", "trust_all");
  expect(await verdictOf("ses_grandchild", "destroy")).toBe("ask");
  expect(await verdictOf("ses_grandchild", "look")).toBe("allow");
});

test("of modes that forbid different things, what any of them forbids does not happen", async () => {
  await makeFamily("confirm_all", "plan");
  expect(await verdictOf("ses_child", "look")).toBe("ask");
  expect(await verdictOf("ses_child", "change")).toBe("deny");
  expect(await verdictOf("ses_root", "change")).toBe("ask");
});

test("control: a session that nobody started has its own mode alone", async () => {
  await makeFamily("trust_all", "plan");
  expect(await verdictOf("ses_root", "destroy")).toBe("allow");
  expect(await verdictOf("ses_child", "destroy")).toBe("deny");
});

test("rules of a session hold for all that its agents start, and never the other way round", async () => {
  await makeFamily("default", "default", "default");
  await addRule("ses_root", "allow", "change");
  await addRule("ses_child", "deny", "look");
  expect(await verdictOf("ses_grandchild", "change")).toBe("allow");
  expect(await verdictOf("ses_grandchild", "look")).toBe("deny");
  expect(await verdictOf("ses_root", "look")).toBe("allow");
});
