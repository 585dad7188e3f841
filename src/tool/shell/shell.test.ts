import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { mkdtemp, realpath } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createFakeClock } from "../../../test/helpers/fake-clock.ts";
import type { JsonObject } from "../../message/message.ts";
import { UNKEPT } from "../../workspace/file-change.ts";
import { listProcesses, readCommand } from "../process/process-table.ts";
import { createProcesses, type Processes } from "../process/processes.ts";
import { createShellJobs } from "./shell-jobs.ts";
import { createShellJobsTool } from "./shell-jobs-tool.ts";
import { createShellTool } from "./shell.ts";

let workspace: string;
let processes: Processes;
beforeEach(async () => {
  workspace = await realpath(await mkdtemp(join(tmpdir(), "parley-shell-")));
  processes = createProcesses({ owner: `shell-${process.pid}`, onLeft: () => {} });
});
afterEach(async () => {
  await processes.endAll();
  rmSync(workspace, { recursive: true, force: true });
});

const assess = async () => ({ risk: { level: "unknown", reason: "" } as const, subjects: [] });

function setUp(path = process.env["PATH"] ?? "") {
  const controller = new AbortController();
  const shown: string[] = [];
  const bugs: unknown[] = [];
  // Stands still: a command may take as long as this machine does.
  const clock = createFakeClock();
  const jobs = createShellJobs((_what, error) => bugs.push(error), clock);
  const shell = createShellTool({ processes, jobs, assess, allowsWorkspace: () => true, env: { PATH: path }, clock });
  const jobsTool = createShellJobsTool(jobs, clock);
  let calls = 0;
  const context = () => ({
    sessionId: "ses_1",
    turnId: "turn_1",
    callId: `call_${++calls}`,
    workspace,
    signal: controller.signal,
    changes: UNKEPT,
    output: async (stream: string, text: string) => void shown.push(`${stream}: ${text}`),
  });
  return {
    clock,
    shown,
    bugs,
    cancel: () => controller.abort(new Error("cancelled")),
    shell: async (args: JsonObject) => (await shell.run(args, context())).text,
    jobs: async (args: JsonObject) => (await jobsTool.run(args, context())).text,
    assess: async (args: JsonObject) => shell.assess(args, context()),
  };
}

const lines = (text: string): string[] => text.split("\n");

test("a command's exit code stands first, then what it printed", async () => {
  const it = setUp();
  const [head, ...rest] = lines(await it.shell({ command: "echo out; echo err >&2; exit 3" }));
  expect(head).toMatch(/^exit code 3 after \d+\.\d s$/);
  expect(rest.toSorted()).toEqual(["", "err", "out"]);
  expect(it.shown.toSorted()).toEqual(["stderr: err\n", "stdout: out\n"]);
});

test.each([
  ["true", /^exit code 0 after .*\n\[no output\]$/],
  ["printf 'no newline'", /^exit code 0 after .*\nno newline$/],
  ["cat", /^exit code 0 .*\n\[no output\]$/],
  ['read line; echo "got $? [$line]"', /got 1 \[\]/],
  ["kill -SEGV $$", /^ended by the signal SIGSEGV after/],
  ["nosuchcommand", /^exit code 127 after[^]*nosuchcommand: command not found/],
  ["printf '\\xff\\xfe\\x00'", /\n\uFFFD\uFFFD\uFFFD$/],
  ["echo 'größe 🐦'", /größe 🐦/],
  ["pwd; echo $HOME $PARLEY_TOKEN $NODE_OPTIONS.", /\n\.\n$/],
  ["if then", /^exit code 2 after[^]*syntax error/],
  ["test -t 0 || test -t 1 || echo no terminal; tty", /no terminal\nnot a tty/],
])("the command %s ends as it should", async (command, told) => {
  expect(await setUp().shell({ command })).toMatch(told);
});

test("the head and the tail of what is long are kept, and little of it is in memory", async () => {
  const text = await setUp().shell({ command: "echo first; head -c 20000000 /dev/zero | tr '\\0' x; echo; echo last" });
  expect(text).toMatch(/^exit code 0 .*\nfirst\nx+/);
  expect(text).toMatch(/\[\d+ characters of output are not kept\]/);
  expect(text).toMatch(/x\nlast\n$/);
  expect(text.length).toBeLessThan(1_100_000);
});

test("a command that takes too long is ended with what it started, and what it had printed is told", async () => {
  const it = setUp();
  const failure = it.shell({ command: "echo begun; (setsid sleep 400 &); sleep 401", timeout_ms: 300 }).then(
    () => "none",
    (error: unknown) => (error as Error).message,
  );
  await expect.poll(() => it.shown.join("")).toContain("begun");
  await it.clock.advance(300);
  expect(await failure).toMatch(/^ended after 0\.3 s, its time limit; give a larger timeout_ms[^]*\nbegun\n$/);
  expect(await processes.endTurn("turn_1")).toEqual([]);
});

test("what a command leaves running is ended with it, and the model is told what to do instead", async () => {
  const text = await setUp().shell({ command: "(setsid sleep 410 &); sleep 411 & sleep 0.1; echo done" });
  expect(text).toMatch(/^exit code 0 .*\n\[2 processes that it left running were ended; .*background: true\]\ndone\n$/);
});

test("a stopped turn ends its command, and the run rejects only when nothing is left", async () => {
  const it = setUp();
  const sleeps = [420, 421].map((seconds) => `sleep ${seconds}.${process.pid}`);
  const running = it.shell({ command: `(setsid ${sleeps[0]} &); ${sleeps[1]}; true` });
  await expect
    .poll(async () => (await listProcesses()).map(({ pid }) => readCommand(pid)))
    .toEqual(expect.arrayContaining(sleeps));
  const ended = processes.endTurn("turn_1");
  it.cancel();
  await expect(running).rejects.toThrow("cancelled");
  expect(
    (await ended)
      .map(({ command }) => command)
      .toSorted()
      .slice(-2),
  ).toEqual(sleeps);
  await expect(it.shell({ command: "echo later" })).rejects.toThrow("cancelled");
});

test.each([
  [{}, "command is missing"],
  [{ command: " \n" }, "command is empty"],
  [{ command: 5 }, "command must be a string"],
  [{ command: "echo \0" }, "NUL character"],
  [{ command: "x".repeat(1024 * 1024) }, "command has 1048576 bytes and may have 131071"],
  [{ command: "ls", timeout_ms: 0 }, "timeout_ms must be a whole number from 1"],
  [{ command: "ls", cwd: "/" }, 'there is no argument "cwd"'],
  [{ command: "ls", background: "yes" }, "background must be true or false"],
])("wrong arguments %o are told before anybody is asked", async (args, told) => {
  await expect(setUp().assess(args)).rejects.toThrow(told);
  await expect(setUp().shell(args)).rejects.toThrow(told);
});

test("the longest command that is taken runs", async () => {
  const command = `echo ${"y".repeat(131_071 - 5)}`;
  expect((await setUp().shell({ command })).length).toBeGreaterThan(131_000);
});

test("a workspace that is gone, or leads elsewhere, is told", async () => {
  const it = setUp();
  rmSync(workspace, { recursive: true });
  await expect(it.shell({ command: "ls" })).rejects.toThrow("the workspace's folder is not there any more");
  symlinkSync("/", workspace);
  await expect(it.shell({ command: "ls" })).rejects.toThrow("not a folder that this engine lets sessions work in");
});

test("a folder that goes away while a command runs in it is the command's trouble alone", async () => {
  expect(await setUp().shell({ command: 'rmdir "$PWD" && ls nothing; echo still here' })).toContain("still here");
});

test("names of commands are not looked up in the workspace, however the path was set", async () => {
  const evil = join(workspace, "bin");
  mkdirSync(evil);
  writeFileSync(join(evil, "ls"), "#!/bin/sh\necho evil\n", { mode: 0o755 });
  const link = `${workspace}-link`;
  symlinkSync(evil, link);
  try {
    const it = setUp(`bin:.::${evil}:${link}:/usr/bin:/bin`);
    expect(await it.shell({ command: "ls; echo $PATH" })).toMatch(/\nbin\n\/usr\/bin:\/bin\n$/);
  } finally {
    rmSync(link);
  }
});

test("where there is no bash it is sh, and where there is none that is said", async () => {
  const folder = join(tmpdir(), `parley-sh-${process.pid}`);
  mkdirSync(folder);
  try {
    await expect(setUp(folder).shell({ command: "echo $0" })).rejects.toThrow("there is no bash and no sh");
    symlinkSync("/bin/sh", join(folder, "sh"));
    expect(await setUp(folder).shell({ command: "echo $0" })).toMatch(/\/sh\n$/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a job runs on after its call, is read piece by piece, listed and stopped", async () => {
  const it = setUp();
  const command = "echo one; until [ -e two ]; do :; done; sleep 430 & echo two; wait";
  expect(await it.shell({ command, background: true })).toContain("Job 1 runs");
  expect(await it.jobs({ action: "read", job: 1, wait_ms: 5000 })).toMatch(/^job 1: running for .*\none\n$/);
  writeFileSync(join(workspace, "two"), "");
  expect(await it.jobs({ action: "read", job: 1, wait_ms: 5000 })).toMatch(/\ntwo\n$/);
  expect(await it.jobs({ action: "read", job: 1 })).toMatch(/\n\[no new output\]$/);
  expect(await it.jobs({ action: "read", job: 1, all: true })).toMatch(/\none\ntwo\n$/);
  expect(await it.jobs({ action: "list" })).toMatch(/^job 1: running for \d+\.\d s: echo one; until/);
  expect(await it.jobs({ action: "stop", job: 1 })).toMatch(
    /^job 1: ended by the signal SIGTERM .*; 2 of its processes were ended/,
  );
  expect(await it.jobs({ action: "list" })).toMatch(/ended by the signal SIGTERM/);
  expect(it.shown).toEqual([]);
  await expect(it.jobs({ action: "read", job: 7 })).rejects.toThrow("there is no job 7; there is 1");
  await expect(it.jobs({ action: "stop" })).rejects.toThrow("job is missing");
});

test("a job whose shell has ended goes on while something of it lives", async () => {
  const it = setUp();
  await it.shell({ command: "setsid sleep 440 & sleep 0.1", background: true });
  await expect.poll(() => it.jobs({ action: "list" })).toMatch(/exit code 0 after .*, and 1 of its processes go on/);
  expect(await it.jobs({ action: "stop", job: 1 })).toContain("1 of its processes were ended");
  expect(await it.jobs({ action: "list" })).toMatch(/exit code 0 after [\d.]+ s: /);
});

test("a job with a time limit is ended when it is over, and of what it printed the end is kept", async () => {
  const it = setUp();
  const command = "seq 1 200000; echo end; sleep 450";
  await it.shell({ command, background: true, timeout_ms: 1000 });
  await expect.poll(() => it.jobs({ action: "read", job: 1, all: true })).toMatch(/\nend\n$/);
  await it.clock.advance(1000);
  await expect.poll(() => it.jobs({ action: "list" })).toContain("ended by the signal SIGTERM");
  const text = await it.jobs({ action: "read", job: 1, all: true });
  expect(text).toMatch(/characters before this are not kept\][^]*200000\nend\n$/);
  expect(text.length).toBeLessThan(270_000);
  expect(it.bugs).toEqual([]);
});

test("16 jobs run at once and no more; one that is over makes room", async () => {
  const it = setUp();
  const asked = Array.from({ length: 20 }, () => it.shell({ command: "exec sleep 460", background: true }));
  const outcomes = await Promise.allSettled(asked);
  expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(16);
  await expect(it.shell({ command: "sleep 461", background: true })).rejects.toThrow("16 jobs run in the background");
  await it.jobs({ action: "stop", job: 3 });
  expect(await it.shell({ command: "exec sleep 461", background: true })).toContain("Job 17");
  expect(await processes.endTurn("turn_1")).toHaveLength(16);
});

test("a job that cannot be started is told when it is looked at", async () => {
  const it = setUp();
  const tool = it.shell({ command: "exit 0", background: true });
  await tool;
  await expect.poll(() => it.jobs({ action: "list" })).toMatch(/^job 1: exit code 0 after/);
});
