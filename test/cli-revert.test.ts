import { rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { useFiles } from "./api/file-world.ts";
import { inTerminal, parley, type TerminalStep } from "./cli-process.ts";

const world = useFiles();

const run = (args: readonly string[], input = "") =>
  parley([...args, "--url", world.engine.url], input, { PARLEY_TOKEN: world.engine.token });
const revert = (...args: readonly string[]) => run(["sessions", "revert", ...args]);

async function changeFiles(): Promise<void> {
  await world.put("a.txt", "one\n");
  await world.put("b.txt", "one\n");
  await world.run(
    ["write_file", { path: "a.txt", content: "two\n" }],
    ["write_file", { path: "b.txt", content: "two\n" }],
  );
  await world.put("b.txt", "mine\n");
}

test("a revert is shown first, with what would change, and done with a yes", async () => {
  await changeFiles();
  const shown = await revert("last");
  expect(shown).toMatchObject({
    code: 0,
    stderr: expect.stringContaining("nothing is done yet; --yes does it") as string,
  });
  expect(shown.stdout).toBe(
    "· b.txt: somebody changed it since; it stays as it is\n⟲ a.txt: would be as before the turn (+1 −1)\n@@ -1,1 +1,1 @@\n-two\n+one\n",
  );
  expect(await world.get("a.txt")).toBe("two\n");
  const done = await revert("last", "--yes");
  expect(done).toEqual({
    code: 0,
    stdout: "· b.txt: somebody changed it since; it stays as it is\n⟲ a.txt: is as before the turn (+1 −1)\n",
    stderr: "",
  });
  expect([await world.get("a.txt"), await world.get("b.txt")]).toEqual(["one\n", "mine\n"]);
  expect(JSON.parse((await revert("last", "--json")).stdout)).toEqual({
    files: [{ path: "b.txt", outcome: "REVERT_OUTCOME_NOT_AS_LEFT" }],
  });
});

test("a turn may be named; one that is not there, and a session without any, are told", async () => {
  await changeFiles();
  const first = (await world.engine.messages.listTurns({ sessionId: world.sessionId })).turns[0]?.id ?? "";
  await world.run();
  expect((await revert("last")).stdout).toContain("there is nothing to take back");
  expect((await revert("last", first)).stdout).toContain("a.txt: would be as before the turn");
  expect(await revert("last", "turn_none")).toMatchObject({
    code: 4,
    stderr: expect.stringContaining("turn_none") as string,
  });
  await world.engine.sessions.createSession({});
  expect(await revert("last")).toMatchObject({ code: 4, stderr: expect.stringContaining("no turn has run") as string });
});

test("the turns that changed files are listed, the newest first, and taken back by their number", async () => {
  await world.run(["write_file", { path: "first.txt", content: "1\n2\n" }]);
  await world.run();
  await world.run(["write_file", { path: "second.txt", content: "2\n" }]);
  const listed = await revert("last", "--list");
  expect(listed.stdout.split("\n").map((line) => line.replace(/\d+ s ago/, "AGO").trimEnd())).toEqual([
    expect.stringMatching(/^ {2}1 {2}AGO/) as string,
    "     second.txt (+1)",
    expect.stringMatching(/^ {2}2 {2}AGO/) as string,
    "     first.txt (+2)",
    "",
  ]);
  expect((await revert("last", "2", "--yes")).stdout).toContain("first.txt: is as before the turn");
  expect((await revert("last", "--list")).stdout).not.toContain("first.txt");
  const json = JSON.parse((await revert("last", "--list", "--json")).stdout) as { turnId: string };
  expect(json).toMatchObject({ turnId: expect.stringMatching(/^turn_/) as string, files: [{ path: "second.txt" }] });
  expect(await revert("last", "7")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("from 1 to 1") as string,
  });
  expect((await revert("last", "--list", "--yes")).code).toBe(2);
});

test("a chat lists the turns, shows one and takes it back", async () => {
  await changeFiles();
  await rm(join(world.workspace, "b.txt"));
  const chat = ["chat", "--session", world.sessionId];
  expect((await run(chat, "/revert\n")).stdout).toContain("     b.txt (cannot be taken back), a.txt (+1 −1)\n");
  const shown = await run(chat, "/revert 1\n");
  expect(shown.stdout).toContain("⟲ a.txt: would be as before the turn (+1 −1)\n@@ -1,1 +1,1 @@\n-two\n+one\n");
  expect(shown.stderr).toContain("/revert 1 yes does it");
  const done = await run(chat, "/revert 1 yes\n");
  expect(done.stdout).toContain("⟲ a.txt: is as before the turn (+1 −1)");
  expect(done.stdout).toContain("b.txt: somebody removed it since; it stays so");
  expect(await world.get("a.txt")).toBe("one\n");
  expect((await run(chat, "/revert now\n")).code).toBe(2);
  expect((await run(chat, "/revert 9\n")).code).toBe(2);
});

test("at a terminal what would be done is shown, Enter does it, and Tab chooses", async () => {
  await changeFiles();
  const steps: readonly TerminalStep[] = [
    { wait: "○ idle" },
    { send: "/revert\r" },
    { wait: "a.txt (+1 −1)" },
    { send: "/revert \t" },
    { wait: "› /revert 1" },
    { send: "\r" },
    { wait: "Enter does it, Ctrl-C leaves it" },
    { wait: "› /revert 1 yes" },
    { send: "\u0003" },
    { gone: "› /revert 1 yes" },
    { send: "/revert 1\r" },
    { wait: "› /revert 1 yes" },
    { send: "\r" },
    { wait: "⟲ a.txt: is as before the turn" },
    { send: "/revert\r" },
    // What cannot be taken back is still the turn's.
    { wait: "b.txt (cannot be taken back)\n" },
    { send: "\u0004" },
  ];
  const { code } = await inTerminal(["chat", "--session", world.sessionId, "--url", world.engine.url], steps, {
    PARLEY_TOKEN: world.engine.token,
  });
  expect(code).toBe(0);
  expect(await world.get("a.txt")).toBe("one\n");
});
