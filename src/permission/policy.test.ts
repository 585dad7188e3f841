import { expect, test } from "vitest";
import type { Assessment, RiskLevel, Subject } from "../tool/tool.ts";
import { APPROVAL_MODES, type ApprovalMode } from "./approval-mode.ts";
import { decidePermission, isAsStrict, type Question, type Verdict } from "./policy.ts";
import { createProtectedPaths } from "./protected-paths.ts";
import type { Effect, Rule } from "./rule.ts";

const LEVELS: readonly RiskLevel[] = ["none", "read", "edit", "safe", "destructive", "unknown"];

function rule(effect: Effect, tool: string, pattern = ""): Rule {
  const place = { scope: "global", sessionId: "", workspace: "" } as const;
  return { id: "rule_1", effect, tool, pattern, ...place, createdBy: "", createTimeMs: 0, expireTimeMs: undefined };
}

const path = (text: string, access: "read" | "write" = "write", given = text): Subject => ({
  kind: "path",
  access,
  path: text,
  given,
});
const command = (...words: string[]): Subject => ({ kind: "command", words, fixedWords: words.length });
const risk = (level: RiskLevel) => ({ level, reason: `it is ${level}` });

function ask(assessment: Assessment, more: Partial<Question> = {}) {
  const protectedPaths = createProtectedPaths("/home/me/.parley");
  return decidePermission({
    tool: "write_file",
    assessment,
    mode: "default",
    rules: [],
    workspace: "/ws",
    protectedPaths,
    ...more,
  });
}

test.each<[ApprovalMode, readonly Verdict[]]>([
  ["confirm_all", ["allow", "ask", "ask", "ask", "ask", "ask"]],
  ["default", ["allow", "allow", "ask", "ask", "ask", "ask"]],
  ["auto_approve_edits", ["allow", "allow", "allow", "ask", "ask", "ask"]],
  ["trust_all", ["allow", "allow", "allow", "allow", "allow", "allow"]],
  ["plan", ["allow", "allow", "deny", "deny", "deny", "deny"]],
  ["restricted", ["allow", "allow", "deny", "deny", "deny", "deny"]],
])("%s decides by risk where no rule speaks", (mode, verdicts) => {
  expect(LEVELS.map((level) => ask({ risk: risk(level), subjects: [] }, { mode }).verdict)).toEqual(verdicts);
});

test("a deny rule wins over an allow rule, and holds in every mode", () => {
  const rules = [rule("allow", "*"), rule("ask", "*"), rule("deny", "write_file", "secrets/")];
  for (const mode of APPROVAL_MODES) {
    const inside = ask({ risk: risk("edit"), subjects: [path("/ws/secrets/a")] }, { mode, rules });
    expect(inside).toMatchObject({ verdict: "deny", rule: { effect: "deny" } });
  }
});

test("an ask rule wins over an allow rule and TRUST_ALL, and in RESTRICTED it is a deny", () => {
  const rules = [rule("allow", "write_file"), rule("ask", "write_file", "*.lock")];
  const assessment = { risk: risk("edit"), subjects: [path("/ws/a.lock")] };
  expect(ask(assessment, { rules, mode: "trust_all" }).verdict).toBe("ask");
  expect(ask(assessment, { rules, mode: "restricted" }).verdict).toBe("deny");
});

test("an allow rule lets a call run in RESTRICTED, and not in PLAN", () => {
  const assessment = { risk: risk("edit"), subjects: [path("/ws/a")] };
  const rules = [rule("allow", "write_*", "a")];
  expect(ask(assessment, { rules, mode: "restricted" }).verdict).toBe("allow");
  expect(ask(assessment, { rules, mode: "plan" }).verdict).toBe("deny");
});

test.each([
  "/ws/.git/hooks/pre-commit",
  "/ws/.GIT/Hooks/x",
  "/ws/sub/.bashrc",
  "/ws/.mcp.json",
  "/ws/.vscode/tasks.json",
  "/ws/.git/hooks./x",
  "/home/me/.ssh/authorized_keys",
  "/home/me/.parley/token",
  "/home/me",
])("%s may be written in no mode and by no rule", (name) => {
  for (const mode of APPROVAL_MODES) {
    const assessment = { risk: risk("edit"), subjects: [path(name)] };
    expect(ask(assessment, { mode, rules: [rule("allow", "*")] }).verdict).toBe("deny");
  }
});

test("the engine's own folder may not be read either, by either of a path's names, but for a session's folder in it", () => {
  // oxlint-disable-next-line unicorn/consistent-function-scoping -- read where it is used
  const read = (text: string, given = text, workspace = "/ws") =>
    ask({ risk: risk("read"), subjects: [path(text, "read", given)] }, { workspace, mode: "trust_all" }).verdict;
  expect(read("/home/me/.parley/parley.db")).toBe("deny");
  expect(read("/ws/x", "/home/me/.PARLEY/x")).toBe("deny");
  expect(read("/home/me/.parley/token", "/ws/link")).toBe("deny");
  const own = "/home/me/.parley/workspaces/ses_1";
  expect(read(`${own}/a`, `${own}/a`, own)).toBe("allow");
  expect(read("/home/me/.parley/workspaces/ses_2/a", undefined, own)).toBe("deny");
  expect(read("/home/me/.parleyx/a")).toBe("allow");
});

test("a rule allows a file only by both of its names, and denies it by one", () => {
  const assessment = { risk: risk("edit"), subjects: [path("/etc/x", "write", "/ws/src/link")] };
  expect(ask(assessment, { rules: [rule("allow", "write_file", "src/**")] }).verdict).toBe("ask");
  expect(ask(assessment, { rules: [rule("deny", "write_file", "src/**")], mode: "trust_all" }).verdict).toBe("deny");
  expect(ask(assessment, { rules: [rule("deny", "write_file", "/ETC/")], mode: "trust_all" }).verdict).toBe("deny");
});

test("a chain is allowed only where each of its commands is", () => {
  const assessment = { risk: risk("unknown"), subjects: [command("git", "status"), command("npm", "test")] };
  const one = [rule("allow", "shell", "git status")];
  expect(ask(assessment, { tool: "shell", rules: one }).verdict).toBe("ask");
  expect(ask(assessment, { tool: "shell", rules: [...one, rule("allow", "shell", "npm *")] }).verdict).toBe("allow");
});

test("what is not understood is allowed by no rule, and in TRUST_ALL only where no rule might speak against it", () => {
  const assessment = { risk: risk("unknown"), subjects: [command("git", "status")], onlyOnce: true };
  const more = { tool: "shell", rules: [rule("allow", "*")] };
  expect(ask(assessment, more).verdict).toBe("ask");
  expect(ask(assessment, { ...more, mode: "trust_all" }).verdict).toBe("allow");
  expect(ask(assessment, { tool: "shell", rules: [rule("deny", "shell", "rm *")], mode: "trust_all" }).verdict).toBe(
    "ask",
  );
});

test("what nobody could look at is asked about in TRUST_ALL too: it may touch what is protected", () => {
  const assessment = { risk: risk("unknown"), subjects: [], onlyOnce: true };
  expect(ask(assessment, { tool: "shell", mode: "trust_all" }).verdict).toBe("allow");
  expect(ask({ ...assessment, isUnseen: true }, { tool: "shell", mode: "trust_all" }).verdict).toBe("ask");
});

test("a deny rule for a command is not got around by what stands before its name", () => {
  const rules = [rule("deny", "shell", "rm *")];
  for (const words of [
    ["rm", "x"],
    ["/bin/rm", "x"],
    ["A=b", "rm", "x"],
    ["sudo", "-n", "rm", "x"],
    ["xargs", "rm"],
  ]) {
    const assessment = { risk: risk("unknown"), subjects: [command(...words)] };
    expect([words, ask(assessment, { tool: "shell", rules, mode: "trust_all" }).verdict]).toEqual([words, "deny"]);
  }
  const open: Subject = { kind: "command", words: ["$X", "x"], fixedWords: 0 };
  const assessment = { risk: risk("unknown"), subjects: [open] };
  expect(ask(assessment, { tool: "shell", rules, mode: "trust_all" }).verdict).toBe("deny");
});

test("hosts are matched whole, without case, and under a star", () => {
  // oxlint-disable-next-line unicorn/consistent-function-scoping -- read where it is used
  const host = (name: string) => ({ risk: risk("unknown"), subjects: [{ kind: "host", host: name } as const] });
  // oxlint-disable-next-line unicorn/consistent-function-scoping -- read where it is used
  const more = (pattern: string) => ({ tool: "fetch_url", rules: [rule("allow", "fetch_url", pattern)] });
  expect(ask(host("Example.com."), more("example.com")).verdict).toBe("allow");
  expect(ask(host("evil-example.com"), more("example.com")).verdict).toBe("ask");
  expect(ask(host("a.example.com"), more("*.example.com")).verdict).toBe("allow");
  expect(ask(host("example.com.evil.test"), more("*.example.com")).verdict).toBe("ask");
});

const strict = (mode: ApprovalMode): ApprovalMode[] => APPROVAL_MODES.filter((than) => isAsStrict(mode, than));

test("a mode is as strict as another where it lets nothing happen that the other does not", () => {
  expect(strict("confirm_all")).toEqual(["confirm_all", "default", "auto_approve_edits", "trust_all"]);
  expect(strict("default")).toEqual(["default", "auto_approve_edits", "trust_all"]);
  expect(strict("trust_all")).toEqual(["trust_all"]);
  // It reads unasked, which CONFIRM_ALL does not.
  expect(strict("plan")).toEqual(["default", "auto_approve_edits", "trust_all", "plan", "restricted"]);
});

const reasonOf = (level: RiskLevel, mode: ApprovalMode) => ask({ risk: risk(level), subjects: [] }, { mode }).reason;

test("what is harmless and asked about says which mode asks; what is not says what it can do", () => {
  expect(reasonOf("read", "confirm_all")).toBe("it is read; the mode confirm_all asks about that");
  expect(reasonOf("safe", "auto_approve_edits")).toBe("it is safe; the mode auto_approve_edits asks about that");
  expect(reasonOf("edit", "auto_approve_edits")).toBe("it is edit");
  expect(reasonOf("destructive", "confirm_all")).toBe("it is destructive");
  expect(reasonOf("unknown", "default")).toBe("it is unknown");
  expect(reasonOf("edit", "plan")).toBe("this mode looks and does not touch: it is edit");
});
