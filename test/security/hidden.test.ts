import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ApprovalMode } from "../../src/permission/approval-mode.ts";
import { assessCommand } from "../../src/permission/assess-command.ts";
import { decidePermission } from "../../src/permission/policy.ts";
import { createProtectedPaths } from "../../src/permission/protected-paths.ts";
import { parseShell } from "../../src/permission/shell-parse.ts";
import { suggestRules } from "../../src/permission/suggest-rules.ts";
import type { Effect, Rule } from "../../src/permission/rule.ts";
import type { Assessment } from "../../src/tool/tool.ts";
import { HARMLESS_LOOKS, HIDDEN_NAMES, HIDDEN_REMOVALS, HIDDEN_TEXTS } from "./hidden.ts";

let folder: string;
let workspace: string;

beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "parley-hidden-")));
  workspace = join(folder, "work");
  for (const name of ["engine", "work/.git/hooks", "work/.vscode", "work/folder"]) {
    mkdirSync(join(folder, name), { recursive: true });
  }
  for (const name of [
    "a.o",
    "b.txt",
    ".bashrc",
    ".git/config",
    ".git/HEAD",
    ".vscode/settings.json",
    "../engine/token",
  ]) {
    writeFileSync(join(workspace, name), "");
  }
  symlinkSync(join(folder, "engine"), join(workspace, "link"));
});
afterAll(() => rmSync(folder, { recursive: true }));

function rule(effect: Effect, pattern: string): Rule {
  const place = { scope: "global", sessionId: "", workspace: "", createdBy: "" } as const;
  return { id: pattern, effect, tool: "shell", pattern, ...place, createTimeMs: 0, expireTimeMs: undefined };
}

function verdict(assessment: Assessment, rules: readonly Rule[], mode: ApprovalMode = "trust_all") {
  const protectedPaths = createProtectedPaths(join(folder, "engine"));
  return decidePermission({ tool: "shell", assessment, mode, rules, workspace, protectedPaths }).verdict;
}

/** Those of the commands of which something else than these becomes. */
async function others(
  commands: readonly string[],
  wanted: readonly string[],
  rules: readonly Rule[],
  assess: (text: string) => Promise<Assessment> = (text) => assessCommand(text, { workspace }),
) {
  const found: string[] = [];
  for (const command of commands) {
    const became = verdict(await assess(command), rules);
    if (!wanted.includes(became)) found.push(`${became}: ${command}`);
  }
  return found;
}

/** What is seen of a command where nobody looks into its words. */
async function surfaceOf(text: string): Promise<Assessment> {
  const { commands } = await parseShell(text);
  return { risk: { level: "unknown", reason: "" }, subjects: commands.map((one) => ({ kind: "command", ...one })) };
}

/** The same, with each word taken for the name of a file as it stands there. */
async function wordsOf(text: string): Promise<Assessment> {
  const { commands } = await parseShell(text);
  return {
    risk: { level: "unknown", reason: "" },
    subjects: commands.flatMap(({ words }) =>
      words.map((word) => {
        const path = join(workspace, word);
        return { kind: "path", access: "write", path, given: path, isNamed: true };
      }),
    ),
  };
}

test("a rule that denies rm catches it in every text that a shell is given, in TRUST_ALL too", async () => {
  expect(await others(HIDDEN_REMOVALS, ["deny"], [rule("deny", "rm *")])).toEqual([]);
});

test("a rule that asks about rm does so there, and a rule that allows the shell does not outweigh it", async () => {
  const rules = [rule("ask", "rm *"), ...["bash *", "sh *", "eval *", "find *"].map((text) => rule("allow", text))];
  expect(await others(HIDDEN_REMOVALS, ["ask"], rules)).toEqual([]);
});

test("a text for a shell that cannot be read is asked about where a rule denies anything", async () => {
  expect(await others(HIDDEN_TEXTS, ["ask", "deny"], [rule("deny", "rm *")])).toEqual([]);
});

test("no name is hidden by what the shell makes it of", async () => {
  expect(await others(HIDDEN_NAMES, ["deny"], [])).toEqual([]);
});

test("what only looks like it runs", async () => {
  expect(await others(HARMLESS_LOOKS, ["allow"], [rule("deny", "rm *")])).toEqual([]);
});

test("negative control: where nobody looks into words, most of it runs", async () => {
  const denyRm = [rule("deny", "rm *")];
  expect((await others(HIDDEN_REMOVALS, ["deny"], denyRm, surfaceOf)).length).toBeGreaterThan(40);
  expect((await others(HIDDEN_TEXTS, ["ask", "deny"], denyRm, surfaceOf)).length).toBeGreaterThan(12);
  expect((await others(HIDDEN_NAMES, ["deny"], [], wordsOf)).length).toBeGreaterThan(20);
});

test("no rule allows a command by what it has a shell run, and one for the shell allows it as before", async () => {
  const assessment = await assessCommand("bash -c 'git status'", { workspace });
  expect(verdict(assessment, [rule("allow", "git status")], "default")).toBe("ask");
  expect(verdict(assessment, [rule("allow", "bash *")], "default")).toBe("allow");
  expect(suggestRules("shell", assessment, workspace).map(({ pattern }) => pattern)).toEqual(["bash -c 'git status'"]);
});

test("a pattern that a link in the workspace leads out of is suggested no rule for", async () => {
  const inside = await assessCommand("node *.o", { workspace });
  expect(suggestRules("shell", inside, workspace)).toEqual([]);
  const away = await assessCommand("wibble *", { workspace });
  expect(suggestRules("shell", away, workspace)).toEqual([]);
  const stays = await assessCommand("wibble *.o", { workspace });
  expect(suggestRules("shell", stays, workspace).map(({ pattern }) => pattern)).toEqual(["wibble *"]);
});

test("more names than are looked at are asked about", async () => {
  mkdirSync(join(workspace, "many"));
  for (let i = 0; i < 450; i++) mkdirSync(join(workspace, "many", `${i}`));
  expect(await assessCommand("wibble many/*", { workspace })).toMatchObject({ onlyOnce: true });
  expect(await assessCommand(`wibble ${"{a,b}".repeat(20)}`, { workspace })).toMatchObject({ onlyOnce: true });
  expect(await assessCommand(`wibble ${"x ".repeat(450)}`, { workspace })).toMatchObject({ onlyOnce: true });
});

test("among more names than are looked at, none is hidden", async () => {
  const names = "x ".repeat(1000);
  expect(
    await others(
      [`rm y; wibble ${names}`, `touch ${names} .bashrc`, `cat ${names} ../engine/token`],
      ["deny"],
      [rule("deny", "rm *")],
    ),
  ).toEqual([]);
});
