import { afterAll, beforeAll, expect, it } from "vitest";
import { parley, startParley } from "./cli-process.ts";
import { type EngineProcess, startEngineProcess } from "./helpers/engine-process.ts";

let engine: EngineProcess;

beforeAll(async () => {
  engine = await startEngineProcess();
});

afterAll(async () => {
  await engine.kill();
});

function run(args: readonly string[]) {
  return parley(["requests", ...args], "", { PARLEY_DATA_DIR: engine.dataDir });
}

function start(args: readonly string[]) {
  return startParley(["requests", ...args], { PARLEY_DATA_DIR: engine.dataDir });
}

/** Asks, and answers with the id. */
async function asked(...args: string[]): Promise<string> {
  const { stdout } = await run(["ask", ...args, "--no-wait"]);
  return stdout.trim();
}

it("who asks gets what somebody else answers, alone on stdout; who watches sees both", async () => {
  const watching = start(["watch"]);
  const asking = start(["ask", "deploy?", "--option", "yes=Do it", "--option", "no", "--priority", "urgent"]);
  await watching.sees("? urgent: deploy? (req_");
  const listed = await run(["list"]);
  expect(listed.stdout).toMatch(/^req_\w+ +urgent +\d+ s ago +deploy\?\n$/);
  const id = listed.stdout.split(" ")[0]!;
  const shown = await run(["show", id.slice(-6)]);
  expect(shown.stdout).toContain("  yes  Do it\n  no\n");
  expect(shown.stdout).toContain(`requests answer ${id} OPTION`);
  // While it is open, and when nothing is open any more.
  expect(await run(["show", "last"])).toEqual(shown);
  expect(await run(["answer", id, "perhaps"])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("one of yes, no") as string,
  });
  expect(await run(["answer", id.slice(-6), "do", "it"])).toMatchObject({
    code: 0,
    stdout: "deploy?: answered by admin: Do it\n",
  });
  expect(await asking.ended).toMatchObject({ code: 0, stdout: "yes\n", stderr: "" });
  await watching.sees("✓ deploy?: answered by admin: Do it");
  expect((await run(["show", "last"])).stdout).toContain("answered by admin: Do it");
  expect(await run(["answer", id, "no"])).toMatchObject({
    code: 4,
    stderr: expect.stringContaining("was answered by admin already") as string,
  });
  watching.child.kill("SIGINT");
  expect(await watching.ended).toMatchObject({ code: 130, stderr: "" });
});

it("nobody's answer, a default and a question that is taken back end as they say", async () => {
  const dismissed = start(["ask", "which?"]);
  await expect.poll(async () => (await run(["list"])).stdout).toContain("which?");
  const [id = ""] = (await run(["list"])).stdout.split(" ");
  expect((await run(["dismiss", id, "--reason", "ask Ada"])).stdout).toBe("which?: dismissed by admin: ask Ada\n");
  expect(await dismissed.ended).toMatchObject({
    code: 6,
    stdout: "",
    stderr: expect.stringContaining("dismissed by admin: ask Ada") as string,
  });
  expect(await run(["ask", "go on?", "--lifetime", "1s", "--default", "no"])).toMatchObject({
    code: 0,
    stdout: "no\n",
  });

  const left = start(["ask", "really?"]);
  await expect.poll(async () => (await run(["list"])).stdout).toContain("really?");
  left.child.kill("SIGINT");
  expect(await left.ended).toMatchObject({ code: 130, stdout: "" });
  const { stdout } = await run(["list", "--state", "cancelled"]);
  expect(stdout).toContain("cancelled by admin: whoever asked left");
});

it("a form is filled in as JSON, and what does not fit is refused by its field", async () => {
  const schema = { type: "object", properties: { age: { type: "integer" } }, required: ["age"] };
  const id = await asked("how old?", "--form", JSON.stringify(schema));
  expect(await run(["answer", id, "--form", '{"age": "old"}'])).toMatchObject({
    code: 4,
    stderr: expect.stringContaining("form/age must be integer") as string,
  });
  const { stdout } = await run(["answer", id, "--form", '{"age": 7}', "--json"]);
  expect(JSON.parse(stdout)).toMatchObject({ id, state: "REQUEST_STATE_ANSWERED", answer: { form: { age: 7 } } });
});

it.each([
  [["answer", "req_none", "yes"], 4, "parley requests list"],
  [["show", "req_none"], 4, "parley requests list"],
  [["answer", "x"], 4, "there is no request x"],
  [["ask", "x", "--form", "no"], 2, "a form is a JSON object"],
  [["ask", "x", "--form", '{"type": "string"}'], 4, "its type must be"],
  [["ask", "x", "--priority", "most"], 2, "urgent"],
  [["ask", " "], 4, "title"],
  [["ask", "x", "--default", "y", "--option", "a"], 4, "option_id must be one of a"],
])("requests %j ends with %i and says %j", async (args, code, said) => {
  const ended = await run(args);
  expect(ended).toMatchObject({ code, stdout: "", stderr: expect.stringContaining(said) as string });
  expect(ended.stderr.trim().split("\n")).toHaveLength(1);
});

it("an empty id means no request, also where only one is open", async () => {
  const id = await asked("really?", "--option", "yes");
  for (const args of [
    ["show", ""],
    ["answer", " ", "yes"],
    ["dismiss", ""],
  ]) {
    const { code, stdout, stderr } = await run(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain("give the id of a request");
  }
  expect(await run(["dismiss", id])).toMatchObject({ code: 0 });
});
