import { rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { useFiles } from "./api/file-world.ts";
import { parley } from "./cli-process.ts";

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

test("a chat shows and takes back what the last turn did", async () => {
  await changeFiles();
  await rm(join(world.workspace, "b.txt"));
  const chat = ["chat", "--session", world.sessionId];
  const shown = await run(chat, "/revert\n");
  expect(shown.stdout).toContain("⟲ a.txt: would be as before the turn (+1 −1)\n@@ -1,1 +1,1 @@\n-two\n+one\n");
  expect(shown.stderr).toContain("/revert yes does it");
  const done = await run(chat, "/revert yes\n");
  expect(done.stdout).toContain("⟲ a.txt: is as before the turn (+1 −1)");
  expect(done.stdout).toContain("b.txt: somebody removed it since; it stays so");
  expect(await world.get("a.txt")).toBe("one\n");
  expect((await run(chat, "/revert now\n")).code).toBe(2);
});
