import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { assessCommand } from "../../src/permission/assess-command.ts";
import type { ApprovalMode } from "../../src/permission/approval-mode.ts";
import { decidePermission } from "../../src/permission/policy.ts";
import { createProtectedPaths } from "../../src/permission/protected-paths.ts";
import type { Rule } from "../../src/permission/rule.ts";
import type { Assessment } from "../../src/tool/tool.ts";
import { BYPASSES } from "./bypasses.ts";
import { makeLinksOut } from "./links-out.ts";

let workspace: string;

beforeAll(() => {
  workspace = realpathSync(mkdtempSync(join(tmpdir(), "parley-bypasses-")));
  writeFileSync(join(workspace, "README.md"), "hello\n");
  makeLinksOut(workspace);
});
afterAll(() => rmSync(workspace, { recursive: true }));

const allowGitStatus: Rule = {
  id: "rule_1",
  effect: "allow",
  scope: "global",
  tool: "shell",
  pattern: "git status",
  sessionId: "",
  workspace: "",
  createdBy: "",
  createTimeMs: 0,
  expireTimeMs: undefined,
};

function verdict(assessment: Assessment, mode: ApprovalMode = "default") {
  const protectedPaths = createProtectedPaths("/nowhere/parley");
  return decidePermission({ tool: "shell", assessment, mode, rules: [allowGitStatus], workspace, protectedPaths })
    .verdict;
}

test("the list is long enough to mean something, and no entry is there twice", () => {
  expect(BYPASSES.length).toBeGreaterThanOrEqual(150);
  expect(new Set(BYPASSES.map(({ command }) => command)).size).toBe(BYPASSES.length);
});

test("git status, once allowed, runs unasked however it is laid out", async () => {
  for (const command of ["git status", "git   status", "'git' \"status\"", "(git status)", "git status; git status"]) {
    expect([command, verdict(await assessCommand(command, { workspace }))]).toEqual([command, "allow"]);
  }
});

test.each(["default", "auto_approve_edits", "restricted", "plan", "confirm_all"] as const)(
  "after git status was allowed for ever, no bypass runs unasked in mode %s",
  async (mode) => {
    const escaped: string[] = [];
    for (const { command } of BYPASSES) {
      if (verdict(await assessCommand(command, { workspace }), mode) === "allow") escaped.push(command.slice(0, 200));
    }
    expect(escaped).toEqual([]);
  },
);

test("what is not understood is never called harmless", async () => {
  const harmless: string[] = [];
  for (const { command } of BYPASSES) {
    const { onlyOnce, risk } = await assessCommand(command, { workspace });
    if (onlyOnce === true && !/unknown|destructive/.test(risk.level)) harmless.push(command);
  }
  expect(harmless).toEqual([]);
});

/** What a shell command was to those who took it for words. */
function splitOnBlanks(text: string): Assessment {
  const words = text.trim().split(/\s+/).slice(0, 2);
  return {
    risk: { level: "unknown", reason: "" },
    subjects: [{ kind: "command", words, fixedWords: words.length }],
  };
}

test("negative control: with a split on blanks in the place of the parser many of them run", () => {
  const escaped = BYPASSES.filter(({ command }) => verdict(splitOnBlanks(command)) === "allow");
  expect(escaped.length).toBeGreaterThan(30);
});
