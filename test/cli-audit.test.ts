import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import Sqlite from "better-sqlite3";
import { afterAll, beforeAll, expect, it } from "vitest";
import { parley } from "./cli-process.ts";
import { type EngineProcess, makeTempDir, startEngineProcess } from "./helpers/engine-process.ts";

let engine: EngineProcess;

beforeAll(async () => {
  engine = await startEngineProcess();
  await run(["tokens", "create", "ci", "--scope", "read"]);
  await run(["permissions", "deny", "shell", "rm *"]);
});

afterAll(async () => {
  await engine.kill();
});

const run = (args: readonly string[]) => parley(args, "", { PARLEY_DATA_DIR: engine.dataDir });

it("entries are listed in words, the newest first, and by what is asked for", async () => {
  const { code, stdout, stderr } = await run(["audit", "list"]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const lines = stdout.trim().split("\n");
  expect(lines[0]).toMatch(/^3 +\d{4}-\d\d-\d\d \d\d:\d\d +admin +RULE_CREATED +rule_\w+ .*tool=shell pattern=rm \*/);
  expect(lines.at(-1)).toMatch(/^1 .* - +ENGINE_STARTED/);
  expect((await run(["audit", "list", "--limit", "1"])).stdout).toMatch(/^3 [^\n]*RULE_CREATED[^\n]*\n$/);
  const tokens = await run(["audit", "list", "--action", "token-created", "--since", "1h", "--json"]);
  expect(JSON.parse(tokens.stdout)).toMatchObject({ seq: "2", actor: "admin", action: "TOKEN_CREATED" });
  expect(await run(["audit", "list", "--actor", "nobody"])).toMatchObject({ code: 0, stdout: "" });
  expect(await run(["audit", "list", "--session", "ses_gone"])).toMatchObject({ code: 0, stdout: "" });
});

it("an export is a file of all entries, for nobody else to read", async () => {
  const file = join(makeTempDir("audit"), "audit.jsonl");
  expect(await run(["audit", "export", "-o", file])).toMatchObject({ code: 0, stdout: "" });
  const entries = readFileSync(file, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { readonly seq: string; readonly hash: string; readonly prevHash: string });
  expect(entries.map(({ seq }) => seq)).toEqual(["3", "2", "1"]);
  expect(entries[0]!.prevHash).toBe(entries[1]!.hash);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect((await run(["audit", "export"])).stdout).toBe(readFileSync(file, "utf8"));
});

it("a log that nobody has been at is verified while the engine runs, and one that somebody has been at is not", async () => {
  const well = await run(["audit", "verify"]);
  expect(well).toMatchObject({ code: 0, stdout: expect.stringContaining("3 entries; nothing was changed") as string });
  const [, head = ""] = /the last is (\S+)/.exec(well.stdout) ?? [];
  expect(await run(["audit", "verify", "--head", head])).toMatchObject({ code: 0 });
  const db = new Sqlite(join(engine.dataDir, "parley.db"));
  db.exec("DROP TRIGGER audit_is_not_changed; UPDATE audit_entries SET actor = 'eve' WHERE seq = 2");
  db.close();
  expect(await run(["audit", "verify"])).toMatchObject({
    code: 1,
    stdout: "FAILED  entry 2 is not what it was when it was written\n",
  });
  const { stdout } = await run(["audit", "verify", "--json", "--head", `9${head}`]);
  const told = JSON.parse(stdout) as { readonly ok: boolean; readonly problems: readonly string[] };
  expect(told).toMatchObject({
    ok: false,
    entries: 3,
    problems: expect.arrayContaining([expect.stringMatching(/--head/)]) as unknown,
  });
});

it.each([
  [["verify", "--head", "12"], 2, "64 hexadecimal digits"],
  [["verify", "--url", "http://127.0.0.1:1"], 2, "without --url"],
  [["verify", "--data-dir", "/nowhere"], 1, "there is no store"],
  [["list", "--since", "yesterday"], 2, "such as 30d"],
  [["list", "--limit", "x"], 2, "give a number"],
  [["list", "--session", "no-such"], 4, "no-such"],
  [["export", "-o", "/nowhere/audit.jsonl"], 2, "cannot be written"],
])("audit %j ends with %i and says %j", async (args, code, said) => {
  const ran = await run(["audit", ...args]);
  expect(ran).toMatchObject({ code, stdout: "", stderr: expect.stringContaining(said) as string });
});
