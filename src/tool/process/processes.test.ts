import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { endProcesses } from "./end-processes.ts";
import { createGroupHunt, createHunt, sendSignal } from "./hunt.ts";
import { type CallProcess, createProcesses, endLeftOvers, type Processes } from "./processes.ts";
import { listProcesses, readCommand, readEntry } from "./process-table.ts";

const folder = mkdtempSync(join(tmpdir(), "parley-processes-"));
const OWNER = `test-${process.pid}`;
const toEnd: Processes[] = [];
afterEach(async () => {
  for (const processes of toEnd.splice(0)) await processes.endAll();
});
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));

let calls = 0;

async function start(script: string, more: { turnId?: string; owner?: string; env?: Record<string, string> } = {}) {
  const left: number[] = [];
  const processes = createProcesses({ owner: more.owner ?? OWNER, onLeft: (_callId, count) => left.push(count) });
  toEnd.push(processes);
  const printed: string[] = [];
  const call = { sessionId: "ses_1", turnId: more.turnId ?? "turn_1", callId: `call_${++calls}`, workspace: folder };
  const started = await processes.start(
    { ...call, signal: new AbortController().signal },
    {
      argv: ["/bin/bash", "-c", script],
      env: { PATH: "/usr/local/bin:/usr/bin:/bin", ...more.env },
      cwd: folder,
      onOutput: (stream, text) => void printed.push(`${stream}: ${text}`),
    },
  );
  return { processes, process: started, printed, callId: call.callId, left };
}

/** Resolves once it has printed a word, which it does when all that it starts is there. */
async function hasPrinted({ printed }: { readonly printed: readonly string[] }, word: string): Promise<void> {
  await expect.poll(() => printed.join("")).toContain(word);
}

/** A number of seconds that nobody else on this machine sleeps. */
function own(seconds: number): string {
  return `${seconds}.${process.pid}`;
}

/** Resolves once all of these run: a process is what it is to be only after its start. */
async function areRunning(...commands: readonly string[]): Promise<void> {
  await expect
    .poll(async () => (await listProcesses()).map(({ pid }) => readCommand(pid)))
    .toEqual(expect.arrayContaining([...commands]));
}

function livingOf(process: CallProcess): Promise<number> {
  return process.countLiving();
}

test("a process is told what it was started with, and nothing of the engine's environment", async () => {
  process.env["PARLEY_TEST_SECRET"] = "hidden";
  const it = await start("env | sort; pwd; cat");
  expect(await it.process.exited).toEqual({ code: 0, signal: null });
  await it.process.drained;
  const text = it.printed.map((line) => line.replace(/^stdout: /, "")).join("");
  expect(text).toContain(`PARLEY_CALL=${OWNER}/${it.callId}\n`);
  expect(text).not.toContain("hidden");
  expect(text).toContain(folder);
});

test("a character that comes in two pieces is whole; what is no UTF-8, and NUL, is shown as such", async () => {
  const it = await start(String.raw`printf '\xf0\x9f'; sleep 0.2; printf '\x90\xa6 \xff\x00 end'`);
  await it.process.exited;
  await it.process.drained;
  const text = it.printed.map((line) => line.replace(/^stdout: /, "")).join("");
  expect(text).toBe("🐦 \uFFFD\uFFFD end");
});

test("what detached itself is ended with its call, and told", async () => {
  const [one = "", two = "", three = "", four = ""] = [300, 301, 302, 303].map((seconds) => `sleep ${own(seconds)}`);
  const it = await start(
    `(setsid ${one} &); (setsid setsid ${two} >/dev/null 2>&1 &) ; ${three} & echo up; ${four}; true`,
  );
  await hasPrinted(it, "up");
  await areRunning(one, two, three, four);
  await expect.poll(() => livingOf(it.process)).toBe(5);
  const ended = await it.process.end();
  expect(
    ended
      .map(({ command }) => command)
      .filter((command) => command.startsWith("sleep"))
      .toSorted(),
  ).toEqual([one, two, three, four]);
  expect(ended.every(({ callId }) => callId === it.callId)).toBe(true);
  for (const { pid } of ended) expect(readEntry(pid)).toBeUndefined();
  expect(await livingOf(it.process)).toBe(0);
  expect(it.left).toEqual([]);
});

test("control: the group alone leaves what detached itself", async () => {
  const it = await start(`(setsid sleep ${own(310)} &); echo up; sleep 311; true`);
  await areRunning(`sleep ${own(310)}`);
  await expect.poll(() => livingOf(it.process)).toBe(3);
  sendSignal(-(it.process.pid ?? 0), "SIGKILL");
  await it.process.exited;
  await expect.poll(() => livingOf(it.process)).toBe(1);
});

test("what threw its environment away is ended as long as its parents or its session live", async () => {
  const it = await start("env -i /usr/bin/setsid /bin/sleep 320 & env -i /bin/sleep 321 & echo up; wait");
  await hasPrinted(it, "up");
  await expect.poll(() => livingOf(it.process)).toBe(3);
  await it.process.end();
  expect(await livingOf(it.process)).toBe(0);
});

test("what threw its environment away and detached itself is ended while it can still print, and not after", async () => {
  const [prints, silent] = [`/bin/sleep ${own(325)}`, `/bin/sleep ${own(326)}`];
  const it = await start(
    `(env -i /usr/bin/setsid ${prints} &); (env -i /usr/bin/setsid ${silent} >/dev/null 2>&1 &); echo up; sleep 327; true`,
  );
  await hasPrinted(it, "up");
  await areRunning(prints, silent);
  const commands = (await it.process.end()).map(({ command }) => command);
  expect(commands).toContain(prints);
  expect(commands).not.toContain(silent);
  for (const { pid } of await listProcesses()) if (readCommand(pid) === silent) process.kill(pid, "SIGKILL");
});

test("who ignores SIGTERM and forks when it is asked to end is ended all the same", async () => {
  const trap = `trap 'for i in 1 2 3; do (trap "" TERM; sleep 330) & done; setsid bash -c "trap : TERM; while :; do sleep 1; done" &' TERM`;
  const it = await start(`${trap}; echo up; while :; do sleep 1 & wait; done`);
  await hasPrinted(it, "up");
  const ended = await it.process.end();
  expect(ended.length).toBeGreaterThan(4);
  expect(await livingOf(it.process)).toBe(0);
});

test("control: SIGTERM alone leaves who ignores it, with what it forks then", async () => {
  const it = await start("trap 'sleep 333 & sleep 334 &' TERM; echo up; while :; do sleep 335 & wait; done");
  await hasPrinted(it, "up");
  await expect.poll(() => livingOf(it.process)).toBe(2);
  sendSignal(it.process.pid ?? 0, "SIGTERM");
  await expect.poll(() => livingOf(it.process)).toBeGreaterThan(3);
  await it.process.end();
  expect(await livingOf(it.process)).toBe(0);
});

test("the end asked for twice at once is one, and tells both the same", async () => {
  const it = await start("echo up; sleep 340; true");
  await expect.poll(() => livingOf(it.process)).toBe(2);
  const [one, two] = await Promise.all([it.process.end(), it.processes.endTurn("turn_1")]);
  expect(one).toEqual(two);
  expect(one).toHaveLength(2);
  expect(await it.processes.endTurn("turn_1")).toEqual([]);
});

test("a turn's processes are ended, and no other's", async () => {
  const one = await start("echo up; sleep 350; true");
  const other = await one.processes.start(
    {
      sessionId: "ses_2",
      turnId: "turn_2",
      callId: "call_other",
      workspace: folder,
      signal: new AbortController().signal,
    },
    { argv: ["/bin/sleep", "351"], env: {}, cwd: folder, onOutput: () => {} },
  );
  await hasPrinted(one, "up");
  await one.processes.endTurn("turn_1");
  expect(await livingOf(one.process)).toBe(0);
  expect(await livingOf(other)).toBe(1);
  await one.processes.endSession("ses_2");
  expect(await livingOf(other)).toBe(0);
});

test("nothing is started for a turn that was stopped meanwhile", async () => {
  const processes = createProcesses({ owner: OWNER, onLeft: () => {} });
  const signal = AbortSignal.abort(new Error("stopped"));
  const call = { sessionId: "s", turnId: "t", callId: "c", workspace: folder, signal };
  const request = { argv: ["/bin/sleep", "360"] as const, env: {}, cwd: folder, onOutput: () => {} };
  await expect(processes.start(call, request)).rejects.toThrow("stopped");
});

test("a program that is not there, and a folder that is gone, are told and leave nothing", async () => {
  const processes = createProcesses({ owner: OWNER, onLeft: () => {} });
  const call = { sessionId: "s", turnId: "t", callId: "c", workspace: folder, signal: new AbortController().signal };
  const request = { argv: ["/nowhere/bash"] as const, env: {}, cwd: folder, onOutput: () => {} };
  const gone = await processes.start(call, request);
  await expect(gone.exited).rejects.toThrow("ENOENT");
  expect(await gone.end()).toEqual([]);
  const lost = await processes.start(call, { ...request, argv: ["/bin/true"], cwd: "/nowhere" });
  await expect(lost.exited).rejects.toThrow("ENOENT");
  expect(await lost.end()).toEqual([]);
});

test("what a dead engine left is found by its name in the mark; another engine's and unmarked ones are not touched", async () => {
  const dead = `dead-${process.pid}`;
  const sleeps = [370, 371, 372, 373].map((seconds) => `sleep ${own(seconds)}`);
  const left = await start(`(setsid ${sleeps[0]} &); ${sleeps[1]}; true`, { owner: dead });
  const others = await start(`${sleeps[2]}; true`, { owner: `${dead}2` });
  const unmarked = await start(`exec env -u PARLEY_CALL bash -c '${sleeps[3]}; true'`, { owner: dead });
  await areRunning(...sleeps);
  const commands = (await endLeftOvers(dead)).map(({ command }) => command);
  expect(commands.filter((command) => command.startsWith("sleep")).toSorted()).toEqual(sleeps.slice(0, 2));
  expect(await livingOf(left.process)).toBe(0);
  expect(await livingOf(others.process)).toBe(2);
  expect(await livingOf(unmarked.process)).toBe(2);
});

test("without a list of processes the group is ended, those that ignore SIGTERM too; what left it is not found", async () => {
  const it = await start(`(setsid sleep ${own(380)} &); (trap '' TERM; sleep 381; true) & echo up; sleep 382; true`);
  await areRunning(`sleep ${own(380)}`);
  await expect.poll(() => livingOf(it.process)).toBe(5);
  const { ended, left } = await endProcesses(createGroupHunt(it.process.pid), 100);
  expect([ended.length, left]).toEqual([1, 0]);
  expect(await livingOf(it.process)).toBe(1);
});

test("who hunts is never found, though it carries the mark", async () => {
  const hunt = createHunt({ isMarked: () => true, leader: process.pid });
  const own = new Set([process.pid, process.ppid]);
  const found = await hunt.look();
  expect(found.filter(({ pid }) => own.has(pid))).toEqual([]);
});

test("ending nothing is done at once", async () => {
  expect(await endProcesses(createHunt({ isMarked: () => false }))).toEqual({ ended: [], left: 0 });
});
