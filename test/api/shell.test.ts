import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  ApprovalMode,
  CheckDecision,
  Framing,
  PermissionScope,
  RuleEffect,
  TurnEndReason,
} from "../../src/client/client.ts";
import { readMark } from "../../src/tool/process/process-table.ts";
import { ownSeconds, processesOf, processesWith, untilThere } from "../faults/commands.ts";
import { BYPASSES } from "../security/bypasses.ts";
import { makeLinksOut } from "../security/links-out.ts";
import { useGate } from "./gate-world.ts";
import { refusalOf, text, watchUntil } from "./observe.ts";
import { says } from "./scripted-upstream.ts";

const gate = useGate();
const { turns } = gate;

const TRUSTED = { approvalMode: ApprovalMode.TRUST_ALL };

const folderOf = async (sessionId: string): Promise<string> => (await gate.session(sessionId)).workspace;

test("a command that is not known to be harmless waits for a human, runs once approved, and is told", async () => {
  const { sessionId, turn } = await gate.ask([["shell", { command: "echo made > file; echo done" }]]);
  const [request] = await gate.open(sessionId);
  expect(request?.permission?.arguments).toEqual({ command: "echo made > file; echo done" });
  const file = join(await folderOf(sessionId), "file");
  expect(existsSync(file)).toBe(false);
  await gate.approve(request!.id);
  expect((await gate.ended(turn)).endReason).toBe(TurnEndReason.COMPLETED);
  expect(readFileSync(file, "utf8")).toBe("made\n");
  expect(gate.told()[0]).toMatch(/^exit code 0 after [\d.]+ s\ndone\n$/);
});

test("a command that is denied does not run, and a harmless one runs unasked", async () => {
  const { sessionId, turn } = await gate.ask([
    ["shell", { command: "touch file" }],
    ["shell", { command: "ls" }],
  ]);
  const [request] = await gate.open(sessionId);
  await gate.deny(request!.id, { reason: "not today" });
  await gate.ended(turn);
  expect(gate.told()).toEqual([expect.stringContaining("not today"), expect.stringMatching(/^exit code 0 after/)]);
  expect(existsSync(join(await folderOf(sessionId), "file"))).toBe(false);
});

test("wrong arguments are told to the model, and nobody is asked", async () => {
  const { turn } = await gate.ask([
    ["shell", { command: "" }],
    ["shell", { command: 5 }],
    ["shell", { command: "x".repeat(200_000) }],
    ["shell", { command: "a\0b" }],
    ["shell", { cmd: "ls" }],
    ["shell_jobs", { action: "kill" }],
  ]);
  expect((await gate.ended(turn)).endReason).toBe(TurnEndReason.COMPLETED);
  expect(gate.told()).toEqual([
    expect.stringContaining("command is empty"),
    expect.stringContaining("command must be a string"),
    expect.stringContaining("command has 200000 bytes"),
    expect.stringContaining("NUL"),
    expect.stringContaining('there is no argument "cmd"'),
    expect.stringContaining("give list, read or stop"),
  ]);
});

test("after git status was allowed for ever, the engine lets no bypass run unasked", async () => {
  const { sessionId, turn } = await gate.ask([]);
  await gate.ended(turn);
  const rule = { effect: RuleEffect.ALLOW, scope: PermissionScope.GLOBAL, tool: "shell", pattern: "git status" };
  await turns.engine.permissions.createRule({ rule });
  const check = (command: string) =>
    turns.engine.permissions.checkPermission({ sessionId, tool: "shell", arguments: { command } });
  expect((await check("git status")).decision).toBe(CheckDecision.ALLOW);
  makeLinksOut(await folderOf(sessionId));
  const escaped: string[] = [];
  for (const { command } of BYPASSES) {
    const verdict = await check(command).catch(async (error: unknown) => refusalOf(Promise.reject(error as Error)));
    // What the tool refuses runs under no rule.
    if ("reason" in verdict && verdict.reason === "INVALID_TOOL_ARGUMENTS") continue;
    if (!("decision" in verdict) || verdict.decision === CheckDecision.ALLOW) escaped.push(command.slice(0, 100));
  }
  expect(escaped).toEqual([]);
});

test("a deleted session's jobs end with it, another's go on", async () => {
  const [one, other] = [ownSeconds(), ownSeconds()];
  const first = await gate.ask([["shell", { command: `sleep ${one}; true`, background: true }]], TRUSTED);
  await gate.ended(first.turn);
  const { session } = await turns.engine.sessions.createSession({ profile: "openai", ...TRUSTED });
  await gate.ended(
    await gate.askAgain(session!.id, [["shell", { command: `sleep ${other}; true`, background: true }]]),
  );
  await untilThere(`sleep ${one}`, 1);
  await untilThere(`sleep ${other}`, 1);
  await turns.engine.sessions.deleteSession({ sessionId: first.sessionId });
  expect(processesWith(one)).toEqual([]);
  expect(processesOf(`sleep ${other}`)).toHaveLength(1);
  await turns.engine.stop();
  expect(processesWith(other)).toEqual([]);
});

test("cancelling a turn ends the job that it started, and leaves one of a turn before", async () => {
  const [before, during, hanging] = [ownSeconds(), ownSeconds(), ownSeconds()];
  const { sessionId, turn } = await gate.ask(
    [["shell", { command: `sleep ${before}; true`, background: true }]],
    TRUSTED,
  );
  await gate.ended(turn);
  await gate.askAgain(sessionId, [
    ["shell", { command: `sleep ${during}; true`, background: true }],
    ["shell", { command: `sleep ${hanging}; true` }],
  ]);
  await untilThere(`sleep ${during}`, 1);
  await untilThere(`sleep ${hanging}`, 1);
  const { killedProcesses } = await turns.engine.messages.cancelTurn({ sessionId });
  const commands = killedProcesses.map(({ command }) => command);
  expect(commands).toContain(`sleep ${during}`);
  expect(commands).toContain(`sleep ${hanging}`);
  expect(processesWith(during)).toEqual([]);
  expect(processesWith(hanging)).toEqual([]);
  expect(processesOf(`sleep ${before}`)).toHaveLength(1);
});

test("what a command prints reaches who looks on while it runs, and its processes carry their call's mark", async () => {
  const seconds = ownSeconds();
  const { sessionId } = await gate.ask([["shell", { command: `echo begun; sleep ${seconds}; true` }]], TRUSTED);
  const { events } = await watchUntil(
    turns.engine,
    sessionId,
    ({ payload }) => payload.case === "toolOutputDelta" && payload.value.data.includes("begun"),
  );
  const payload = events.at(-1)?.payload;
  const callId = payload?.case === "toolOutputDelta" ? payload.value.callId : "none";
  await untilThere(`sleep ${seconds}`, 1);
  const [pid = 0] = processesOf(`sleep ${seconds}`);
  expect(readMark(pid)).toMatch(new RegExp(`/${callId}$`));
  await turns.engine.messages.cancelTurn({ sessionId });
});

test("what is said in the place of a command ends it before the turn goes on", async () => {
  const seconds = ownSeconds();
  const command = `(setsid sleep ${seconds} &); echo begun; sleep ${seconds}; true`;
  const { sessionId, turn } = await gate.ask([["shell", { command }]], TRUSTED);
  await untilThere(`sleep ${seconds}`, 2);
  let leftAtNextCall = -1;
  turns.upstream.script((answer) => {
    leftAtNextCall = processesWith(seconds).length;
    says(answer, "as you like");
  });
  await turns.engine.messages.steer({ sessionId, parts: text("stop that"), framing: Framing.REPLACEMENT });
  expect((await gate.ended(turn)).endReason).toBe(TurnEndReason.COMPLETED);
  expect(leftAtNextCall).toBe(0);
  expect(gate.told()[0]).toContain("It had printed by then:\nbegun\n");
});

test("a turn whose time is over ends its command", async () => {
  const seconds = ownSeconds();
  const limits = { maxWorkingTime: { seconds: 3n } };
  await gate.ask([["shell", { command: `echo begun; sleep ${seconds}; true` }]], { ...TRUSTED, limits });
  await untilThere(`sleep ${seconds}`, 1);
  await turns.clock.advance(3000);
  await expect.poll(() => processesWith(seconds)).toEqual([]);
});
