import { readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Client, createClient, Role } from "../src/client/client.ts";
import { inTerminal, parley } from "./cli-process.ts";
import { type EngineProcess, makeTempDir, startEngineProcess } from "./helpers/engine-process.ts";

let engine: EngineProcess;
let client: Client;
let tea: string;
let coffee: string;
beforeAll(async () => {
  engine = await startEngineProcess();
  client = createClient({ url: engine.url, token: engine.token });
  tea = await begin("About tea", "how is green tea brewed?", "green tea is brewed at 70 degrees");
  coffee = await begin("About coffee", "größer coffee?", "no");
});
afterAll(async () => {
  client.close();
  await engine.kill();
});

const sessions = (...args: readonly string[]) => parley(["sessions", ...args, "--data-dir", engine.dataDir]);

/** A session in which the human and the model have said these, in turns. */
async function begin(title: string, ...said: readonly string[]): Promise<string> {
  const { session } = await client.sessions.createSession({ title, profile: "demo" });
  const sessionId = session?.id ?? "";
  for (const [index, value] of said.entries()) {
    const role = index % 2 === 0 ? Role.USER : Role.ASSISTANT;
    await client.sessions.appendMessage({ sessionId, role, parts: [{ content: { case: "text", value } }] });
  }
  return sessionId;
}

async function messageIds(sessionId: string): Promise<string[]> {
  return (await client.sessions.listMessages({ sessionId })).messages.map(({ id }) => id);
}

/** The ids that a list shows. */
async function listed(...args: readonly string[]): Promise<string[]> {
  const { stdout, code } = await sessions("list", ...args);
  expect(code).toBe(0);
  return stdout.split("\n").flatMap((line) => (line === "" ? [] : [line.split(" ")[0] ?? ""]));
}

describe("sessions list", () => {
  test("filters by words, labels, stars, state and profile, and orders", async () => {
    await sessions("label", tea, "team=core", "urgent", "größe=日本");
    await sessions("star", tea);
    const cases: readonly (readonly [readonly string[], readonly string[]])[] = [
      [["--query", "ABOUT te"], [tea]],
      [["--label", "team=core", "--label", "größe=日本"], [tea]],
      [["--label", "team=other"], []],
      [["--starred"], [tea]],
      [["--no-starred", "--profile", "demo", "--state", "idle"], [coffee]],
      [["--workspace", "/nowhere"], []],
      [
        ["--order", "oldest"],
        [tea, coffee],
      ],
      [
        ["--order", "title"],
        [coffee, tea],
      ],
      [
        ["--order", "changed"],
        [tea, coffee],
      ],
    ];
    expect(await Promise.all(cases.map(([args]) => listed(...args)))).toEqual(cases.map(([, ids]) => ids));
  });

  test.for([
    ["--state", "asleep"],
    ["--order", "random"],
    ["--label", "=x"],
    ["--limit", "-1"],
  ])("refuses %s %s as wrong usage", async (args) => {
    const { code, stdout, stderr } = await sessions("list", ...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(/^parley: [^\n]+\n$/);
  });
});

describe("sessions search", () => {
  test("finds messages by their words, with what stands around them; on a terminal the words are marked", async () => {
    const found = await sessions("search", "brew*", "--role", "assistant");
    expect(found.stdout).toMatch(
      new RegExp(`^${tea} About tea\nmsg_\\w+ · assistant · .*\n {2}green tea is brewed at 70 degrees\n$`),
    );
    const [folded, phrase, elsewhere, asJson] = await Promise.all([
      sessions("search", "GRÖßER"),
      sessions("search", '"tea green"'),
      sessions("search", "tea", "--session", "last"),
      sessions("search", "tea", "--json"),
    ]);
    expect(folded.stdout).toContain(coffee);
    expect(phrase.stdout + elsewhere.stdout).toBe("");
    const hits = asJson.stdout.trimEnd().split("\n");
    expect(hits.map((hit) => (JSON.parse(hit) as { sessionId: string }).sessionId)).toEqual([tea, tea]);
    const { raw } = await inTerminal(["sessions", "search", "brewed", "--data-dir", engine.dataDir], []);
    expect(raw).toContain("\u001B[33mbrewed\u001B[39m");
  });

  test("what holds no word is refused in one line", async () => {
    const { code, stderr } = await sessions("search", "?!");
    expect(code).toBe(4);
    expect(stderr).toMatch(/^parley: [^\n]+\n$/);
  });
});

describe("a session", () => {
  test("may be named by a unique end or beginning of its id, by - and by last", async () => {
    const names = [coffee, coffee.slice(-6), coffee.slice(4, 27), "-", "last"];
    const shown = await Promise.all(names.map((name) => sessions("show", name, "--json")));
    for (const { stdout } of shown) expect(JSON.parse(stdout)).toMatchObject({ session: { id: coffee } });
    const [several, none, said] = await Promise.all([
      sessions("show", "ses_"),
      sessions("show", "zzzz"),
      parley(["run", "echo: more", "--session", coffee.slice(-6), "--data-dir", engine.dataDir]),
    ]);
    expect(several).toMatchObject({ code: 2, stderr: expect.stringContaining("more than one") as string });
    expect(none).toMatchObject({ code: 4, stderr: expect.stringContaining("zzzz") as string });
    expect(said.stdout).toBe("more\n");
  });

  test("is shown with its day as 2026-11-21, its model once, and its labels", async () => {
    const { stdout } = await sessions("show", tea);
    expect(stdout).toMatch(/^★ About tea\nses_\w+ · demo · \d{4}-\d\d-\d\d \d\d:\d\d · \d+ tokens\n/);
    expect(stdout).toContain("label: team=core\n");
  });

  test("is labelled and starred without losing what it had, and back", async () => {
    const id = await begin("label me");
    await sessions("label", id, "a=1", "b=2");
    await sessions("label", id, "b=3", "c=x=y");
    await sessions("unlabel", id, "a");
    const { stdout } = await sessions("star", id, "--json");
    expect(JSON.parse(stdout)).toMatchObject({ starred: true, labels: { b: "3", c: "x=y" } });
    expect(JSON.parse((await sessions("unstar", id, "--json")).stdout)).not.toHaveProperty("starred");
    expect(await sessions("label", id, "=x")).toMatchObject({ code: 2, stdout: "" });
    await sessions("delete", id);
  });

  test("is forked before a message, rewound and cleared", async () => {
    const id = await begin("said", "one", "first", "two", "second");
    const shown = (await sessions("show", id, "--ids")).stdout;
    const ids = await messageIds(id);
    expect(ids.every((message) => shown.includes(`\n${message}\n`))).toBe(true);
    const forked = (await sessions("fork", id, "--before", ids[2] ?? "", "--title", "a copy")).stdout.trimEnd();
    const { session } = await client.sessions.getSession({ sessionId: forked });
    expect(session).toMatchObject({ title: "a copy", forkedFrom: id });
    expect((await messageIds(forked)).length).toBe(2);
    expect((await sessions("rewind", id, ids[1] ?? "")).stdout).toBe(`rewound to before ${ids[1]}: ${id}\n`);
    expect(await messageIds(id)).toEqual([ids[0]]);
    const [again, unsure] = await Promise.all([sessions("rewind", id, ids[1] ?? ""), sessions("clear", id)]);
    expect(again).toMatchObject({ code: 4, stdout: "" });
    expect(unsure).toMatchObject({ code: 2, stderr: expect.stringContaining("--yes") as string });
    expect((await sessions("clear", id, "--yes")).stdout).toBe(`cleared ${id}\n`);
    expect(await messageIds(id)).toEqual([]);
  });

  test("that cannot be deleted does not keep the others, and is told", async () => {
    const ids = [await begin("a"), `ses_${"0".repeat(25)}`, await begin("b")];
    const { code, stdout, stderr } = await sessions("delete", ...ids);
    expect(stdout).toBe(`deleted ${ids[0]}\ndeleted ${ids[2]}\n`);
    expect(stderr).toMatch(/^parley: there is no session ses_0+\n$/);
    expect(code).toBe(4);
  });
});

describe("export and import", () => {
  test("what was exported is imported elsewhere, and exported again it is the same", async () => {
    const file = join(makeTempDir(), "sessions.jsonl");
    expect(await sessions("export", tea, coffee, "-o", file)).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(file, "..")).length).toBe(1);
    const other = await startEngineProcess();
    const there = ["--data-dir", other.dataDir];
    const imported = await parley(["sessions", "import", file, ...there]);
    expect(imported.stdout).toMatch(/^imported 2 sessions, \d+ messages\n$/);
    const again = await parley(["sessions", "export", tea, coffee, ...there]);
    expect(again.stdout).toBe(readFileSync(file, "utf8"));
    // From stdin, where the ids are taken: new ones.
    const taken = await parley(["sessions", "import", "-", ...there], again.stdout);
    expect(taken.stdout).toContain(`${tea} was taken and is ses_`);
    await other.kill();
  });

  test("a file that is no export, is cut off, is empty or not there makes no session, and is told in one line", async () => {
    const before = await listed("--limit", "0");
    const folder = makeTempDir();
    const files: readonly (readonly [string, string, number, string])[] = [
      ["foreign", "{}\n", 4, "line 1"],
      ["cut", (await sessions("export", tea)).stdout.slice(0, -30), 4, "line"],
      ["empty", "", 2, "empty"],
    ];
    for (const [name, text, code, hint] of files) {
      writeFileSync(join(folder, name), text);
      const ended = await sessions("import", join(folder, name));
      expect(ended).toMatchObject({ code, stdout: "" });
      expect(ended.stderr).toMatch(/^parley: [^\n]+\n$/);
      expect(ended.stderr).toContain(hint);
    }
    expect(await sessions("import", join(folder, "missing"))).toMatchObject({ code: 2 });
    expect(await sessions("export", "-o", join(folder, "missing", "x"))).toMatchObject({ code: 2 });
    expect(await listed("--limit", "0")).toEqual(before);
  });

  test("progress stands on a terminal alone, and leaves nothing there", async () => {
    const file = join(makeTempDir(), "sessions.jsonl");
    const { seen } = await inTerminal(["sessions", "export", "-o", file, "--data-dir", engine.dataDir], []);
    expect(seen).toMatch(/^parley: wrote [\d.]+ \w+ to \S+\n$/);
  });
});

test("every command has an example in its help", async () => {
  const { stdout } = await parley(["sessions", "--help"]);
  const found = [...stdout.slice(stdout.indexOf("Commands:")).matchAll(/^ {2}([a-z]+) .*[<[]/gm)];
  const names = found.map(([, name]) => name ?? "").filter((name) => name !== "help");
  expect(names.length).toBeGreaterThan(10);
  const helps = await Promise.all(names.map((name) => parley(["sessions", name, "--help"])));
  expect(names.filter((_, index) => !helps[index]?.stdout.includes("Example: parley"))).toEqual([]);
});
