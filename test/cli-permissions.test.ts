import { afterAll, beforeAll, expect, it } from "vitest";
import { parley } from "./cli-process.ts";
import { type EngineProcess, startEngineProcess } from "./helpers/engine-process.ts";

let engine: EngineProcess;

beforeAll(async () => {
  engine = await startEngineProcess();
  await run("run", "hello");
});

afterAll(async () => {
  await engine.kill();
});

function run(...args: readonly string[]) {
  return parley(args, "", { PARLEY_DATA_DIR: engine.dataDir });
}

it("the mode of a session is shown and set", async () => {
  expect(await run("permissions", "mode", "last")).toMatchObject({ code: 0, stdout: "default\n" });
  expect(await run("permissions", "mode", "last", "plan")).toMatchObject({ code: 0, stdout: "plan\n" });
  expect(await run("permissions", "mode", "last", "default")).toMatchObject({ code: 0, stdout: "default\n" });
  expect((await run("permissions", "mode", "last", "yolo")).code).toBe(2);
});

it("a check says why, and by which rule it would run; the rule, once made, lets it", async () => {
  const asked = await run("permissions", "check", "last", "shell", "git status");
  expect(asked.stdout).toMatch(/^ask: git only looks .*\nit would run unasked with: allow shell git status\n/);
  const made = await run("permissions", "allow", "shell", "git status", "--session", "last", "--lifetime", "1h");
  expect(made).toMatchObject({ code: 0, stdout: expect.stringMatching(/^rule_\w+\n$/) as string });
  const id = made.stdout.trim();
  expect((await run("permissions", "check", "last", "shell", "git status")).stdout).toMatch(
    new RegExp(`^allow: .*\nby ${id}:`),
  );
  expect((await run("permissions", "check", "last", "shell", "git status; rm x")).stdout).toMatch(/^ask: rm: /);
  expect((await run("permissions", "rules")).stdout).toMatch(
    /^rule_\w+ +session ses_\w+ +allow shell git status +ends in /,
  );
  expect(await run("permissions", "remove", id)).toMatchObject({ code: 0, stdout: `removed ${id}\n` });
  expect(await run("permissions", "rules")).toMatchObject({ code: 0, stdout: "" });
});

it("a rule that could never match is refused with what to write instead", async () => {
  const refused = await run("permissions", "deny", "shell", "rm *; x");
  expect(refused.code).not.toBe(0);
  expect(refused.stderr).toContain("the words of one plain command");
});

it("run makes a session of the mode that is named, and takes no second word for it", async () => {
  expect((await run("run", "--mode", "plan", "echo: hello")).code).toBe(0);
  expect(await run("permissions", "mode", "last")).toMatchObject({ code: 0, stdout: "plan\n" });
  for (const other of [
    ["--approve", "all"],
    ["--session", "last"],
  ]) {
    expect((await run("run", "--mode", "plan", ...other, "echo: hello")).code).toBe(2);
  }
  expect((await run("run", "--mode", "yolo", "echo: hello")).code).toBe(2);
});
