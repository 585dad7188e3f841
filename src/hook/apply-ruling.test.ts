import { expect, test } from "vitest";
import type { Decision } from "../permission/decision.ts";
import type { Rule } from "../permission/rule.ts";
import { applyRuling } from "./apply-ruling.ts";
import type { HookDecision } from "./hook-answer.ts";

const rule = (effect: Rule["effect"]): Rule => ({
  id: "rule_1",
  effect,
  scope: "global",
  tool: "shell",
  pattern: "",
  sessionId: "",
  workspace: "",
  createdBy: "me",
  createTimeMs: 1,
  expireTimeMs: undefined,
});

const DECISION: Decision = {
  verdict: "ask",
  risk: { level: "safe", reason: "it writes" },
  subjects: [],
  reason: "it writes",
  suggestedRules: [{ effect: "allow", scope: "session", tool: "shell", pattern: "make" }],
};

const apply = (decision: Partial<Decision>, says: HookDecision): Decision =>
  applyRuling({ ...DECISION, ...decision }, { decision: says, reason: "the hook says so", hook: "h" });

test.each<[Partial<Decision>, HookDecision, string]>([
  [{ verdict: "allow" }, "deny", "deny"],
  [{ verdict: "allow" }, "ask", "ask"],
  [{ verdict: "allow" }, "allow", "allow"],
  [{ verdict: "allow" }, "none", "allow"],
  [{ verdict: "allow", rule: rule("allow") }, "ask", "ask"],
  [{ verdict: "ask" }, "deny", "deny"],
  [{ verdict: "ask" }, "ask", "ask"],
  [{ verdict: "ask" }, "allow", "allow"],
  [{ verdict: "ask" }, "none", "ask"],
  // Not theirs to allow.
  [{ verdict: "ask", rule: rule("ask") }, "allow", "ask"],
  [{ verdict: "ask", onlyOnce: true }, "allow", "ask"],
  [{ verdict: "deny" }, "allow", "deny"],
  [{ verdict: "deny", rule: rule("deny") }, "allow", "deny"],
  [{ verdict: "deny" }, "ask", "deny"],
  // Nobody is there to be asked.
  [{ verdict: "allow", isUnattended: true }, "ask", "deny"],
  [{ verdict: "allow", isUnattended: true }, "none", "allow"],
])("%j of which a hook says %s: %s", (decision, says, expected) => {
  expect(apply(decision, says).verdict).toBe(expected);
});

test("what a hook asks about is no rule's to let run, and both reasons are told", () => {
  const decision = apply({}, "ask");
  expect(decision).toMatchObject({ suggestedRules: [], reason: "it writes; the hook says so" });
  expect(apply({ verdict: "allow", rule: rule("allow") }, "ask")).not.toHaveProperty("rule");
  expect(apply({ verdict: "ask", rule: rule("ask") }, "ask")).toMatchObject({ rule: { effect: "ask" } });
});

test("a hook without an opinion changes nothing", () => {
  expect(apply({}, "none")).toEqual(DECISION);
});
