import { afterAll, beforeAll, expect, it } from "vitest";
import { parley } from "./cli-process.ts";
import { type EngineProcess, startEngineProcess } from "./helpers/engine-process.ts";

let engine: EngineProcess;

beforeAll(async () => {
  engine = await startEngineProcess();
});

afterAll(async () => {
  await engine.kill();
});

/** Runs a command with the engine's own token, or another. */
function run(args: readonly string[], token?: string) {
  return parley(args, "", { PARLEY_DATA_DIR: engine.dataDir, ...(token !== undefined && { PARLEY_TOKEN: token }) });
}

it("a token is printed alone, opens what its scope says, and nothing once it is revoked by its name", async () => {
  const made = await run(["tokens", "create", "reader", "--scope", "read", "--lifetime", "30d"]);
  expect(made).toMatchObject({ code: 0, stdout: expect.stringMatching(/^parley_[\w-]{43}\n$/) as string, stderr: "" });
  const secret = made.stdout.trim();
  expect((await run(["status"], secret)).code).toBe(0);
  expect(await run(["run", "hello"], secret)).toMatchObject({
    code: 4,
    stdout: "",
    stderr: expect.stringContaining("scope operate") as string,
  });
  const listed = await run(["tokens", "list"]);
  expect(listed.stdout).toMatch(/^tok_\w+ +reader +read +made \d+ s ago +until \d{4}-\d\d-\d\d \d\d:\d\d UTC\n$/);
  expect(await run(["tokens", "revoke", "Reader"])).toMatchObject({ code: 0, stdout: "revoked Reader\n" });
  expect(await run(["status"], secret)).toMatchObject({ code: 4, stdout: "" });
  expect(await run(["tokens", "list"])).toMatchObject({ code: 0, stdout: "", stderr: "" });
});

it("watching with a token that is revoked ends, and says why", async () => {
  const { stdout } = await run(["tokens", "create", "watcher", "--scope", "read", "--json"]);
  const { secret, token } = JSON.parse(stdout) as { secret: string; token: { id: string; scope: string } };
  expect(token.scope).toBe("SCOPE_READ");
  await run(["run", "echo: hi"]);
  const { stdout: sessions } = await run(["sessions", "list", "--json"]);
  const { id } = JSON.parse(sessions.split("\n")[0]!) as { id: string };
  const watching = run(["watch", id], secret);
  await expect.poll(async () => (await run(["status"])).stdout).toContain("1 reader");
  expect(await run(["tokens", "revoke", token.id, "--json"])).toMatchObject({ stdout: `{"revoked":"${token.id}"}\n` });
  expect(await watching).toMatchObject({ code: 4, stderr: expect.stringContaining("was revoked") as string });
});

it.each([
  [["create", "x"], 2, "--scope"],
  [["create", "x", "--scope", "root"], 2, "read, operate, admin"],
  [["create", "x", "--scope", "read", "--lifetime", "0d"], 2, "such as 30d"],
  [["create", "x", "--scope", "read", "--lifetime", "tomorrow"], 2, "such as 30d"],
  [["create", "a b", "--scope", "read"], 4, "name"],
  [["create", "admin", "--scope", "read"], 4, "take another name"],
  [["create", "x", "--scope", "read", "--lifetime", "999999w"], 4, "lifetime"],
  [["revoke", "nobody"], 4, "parley tokens list"],
  [["revoke", "tok_none"], 4, "parley tokens list"],
])("tokens %j ends with %i and says %j", async (args, code, said) => {
  const ended = await run(["tokens", ...args]);
  expect(ended).toMatchObject({ code, stdout: "", stderr: expect.stringContaining(said) as string });
  expect(ended.stderr.trim().split("\n")).toHaveLength(1);
});
