import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { inTerminal, parley } from "./cli-process.ts";
import { type EngineProcess, startEngineProcess } from "./helpers/engine-process.ts";

let engine: EngineProcess;

beforeAll(async () => {
  engine = await startEngineProcess();
  await mkdir(join(engine.dataDir, "agents"));
  const write = (name: string, text: string) => writeFile(join(engine.dataDir, "agents", `${name}.md`), text);
  await write("counter", "---\ndescription: Counts\nprofile: demo\ntools: []\n---\nYou count.\n");
  await write("worker", "---\ndescription: Works\nprofile: demo\n---\nYou work.\n");
  await write("bold", "---\ndescription: Does all\nprofile: demo\nmode: trust_all\n---\nYou do.\n");
  await write("broken", "---\ndescription: d\ntool: []\nmode: yolo\n---\n");
});

afterAll(async () => {
  await engine.kill();
});

const run = (args: readonly string[], stdin = "") => parley(args, stdin, { PARLEY_DATA_DIR: engine.dataDir });

it("lists the definitions, and what is wrong in those that cannot be used", async () => {
  const { stdout, code } = await run(["agents"]);
  expect(code).toBe(1);
  const lines = stdout.trimEnd().split("\n");
  expect(lines.slice(0, 3)).toEqual(["bold     own  Does all", "counter  own  Counts", "worker   own  Works"]);
  expect(lines[3]).toMatch(/^broken {2}own {2}cannot be used: \S+broken\.md$/);
  expect(lines[4]).toMatch(/^ {2}line 3: tool: is not known; known are name/);
  expect(lines[5]).toMatch(/^ {2}line 4: mode: must be one of confirm_all/);
  const json = (await run(["agents", "--json"])).stdout.trim().split("\n");
  expect(JSON.parse(json[2]!)).toMatchObject({ name: "counter", description: "Counts", instructions: "You count." });
});

it("run and chat make their session by a definition, and sessions show says by which", async () => {
  expect(await run(["run", "--agent", "counter", "count to 3"])).toMatchObject({
    code: 0,
    stdout: expect.stringContaining("1 2 3") as string,
  });
  expect((await run(["sessions", "show", "last"])).stdout).toContain("agent: counter");
  expect((await run(["chat", "--agent", "counter"], "count to 4\n")).stdout).toContain("1 2 3 4");
});

it("a chat shows what an agent does that it starts, marked with the agent's name", async () => {
  const args = ["chat", "--mode", "trust_all", "--data-dir", engine.dataDir];
  const { seen, code } = await inTerminal(args, [
    { wait: "○ new session" },
    { send: "ask the agent worker to run `echo one`\r" },
    { wait: "▸ worker begins: run `echo one`" },
    { wait: "worker ⚙ shell echo one → exit code 0" },
    { wait: "▹ worker is done" },
    { wait: "Worker says:" },
    { wait: "○ idle" },
    { send: "\u0004" },
  ]);
  expect(code).toBe(0);
  expect(seen.split("worker ⚙").length).toBe(2);
});

it.each([
  [["run", "--agent", "broken", "hi"], 4, "agents/broken.md, line 3: tool: is not known"],
  [["run", "--agent", "nobody", "hi"], 4, "there is no agent definition nobody; `parley agents` shows which there are"],
  [["run", "--agent", "bold", "hi"], 4, "this engine's default; `parley run --approve none|edits|all` says itself"],
  [["run", "--agent", "bold", "--approve", "none", "hi"], 0, ""],
  [["run", "--agent", "bold", "--mode", "restricted", "hi"], 0, ""],
  [["chat", "--agent", "bold", "--mode", "restricted"], 0, ""],
  [["run", "--agent", "counter", "--session", "last", "hi"], 2, "cannot be used with option"],
  [["agents", "--workspace", "/nowhere"], 1, ""],
])("%j ends with %i and says %j", async (args, code, said) => {
  const ended = await run(args);
  expect(ended).toMatchObject({ code });
  expect(ended.stderr).toContain(said);
});
