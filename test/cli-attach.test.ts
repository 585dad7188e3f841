import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parley } from "./cli-process.ts";
import { type EngineProcess, startEngineProcess } from "./helpers/engine-process.ts";

const PNG = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);

let engine: EngineProcess;
let files: string;
beforeAll(async () => {
  engine = await startEngineProcess();
  files = join(engine.dataDir, "mine");
  mkdirSync(files);
  writeFileSync(join(files, "dot.png"), PNG);
  writeFileSync(join(files, "Grüße.md"), "# Hallo\n");
  writeFileSync(join(files, "none.png"), "<svg/>");
});
afterAll(() => engine.kill());

const command = (args: readonly string[], input = "") => parley([...args, "--data-dir", engine.dataDir], input);
const run = (...args: readonly string[]) => command(["run", "--profile", "demo", "look, as fast as you can", ...args]);

test("run sends pictures and files with what it says, and the session shows them", async () => {
  const [picture, text] = ["dot.png", "Grüße.md"].map((name) => join(files, name)) as [string, string];
  const { stdout, code } = await run("--image", picture, "--file", text, "--file", picture);
  expect(code).toBe(0);
  expect(stdout).toContain("I see a picture (image/png, 70 bytes).");
  const shown = await command(["sessions", "show", "last"]);
  expect(shown.stdout).toContain(
    `› look, as fast as you can
+ a picture (image/png, 70 B)
+ Grüße.md (text/plain, 8 B)
+ dot.png (application/octet-stream, 70 B)
`,
  );
});

test("a file that is not there, or is a folder, is said before a session is made", async () => {
  const before = await command(["sessions", "list"]);
  for (const [path, why] of [
    ["nope", "there is no such file"],
    [".", "it is not a file"],
  ] as const) {
    const { stderr, stdout, code } = await run("--file", join(files, path));
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain(why);
  }
  expect(await command(["sessions", "list"])).toMatchObject({
    stdout: expect.stringContaining(before.stdout.slice(0, 30)) as unknown,
  });
});

test.each([
  ["run", "-", "parley run --file FILE"],
  ["chat", "--plain", "/attach FILE"],
])("%s %s of more than a message holds ends as bad input before anything is sent", async (name, option, instead) => {
  const before = await command(["sessions", "list", "--json"]);
  const { stderr, ...ended } = await command([name, option], `${"x".repeat(20_000_000)}\n`);
  expect(ended).toEqual({ code: 2, stdout: "" });
  expect(stderr).toMatch(/^parley: the text has 2000000[01] bytes, and a message holds 1048576 \(1 MiB\); .*\n$/);
  expect(stderr).toContain(instead);
  expect(await command(["sessions", "list", "--json"])).toEqual(before);
});

test("a picture that is none is refused with what to do", async () => {
  const { stderr, code } = await run("--image", join(files, "none.png"));
  expect(code).toBe(4);
  expect(stderr).toContain("the bytes are no picture; PNG, JPEG, GIF and WebP are taken, anything else as a file");
});

test("what is attached in a chat goes with what is said next, and with nothing after it", async () => {
  const bad = await command(["chat"], `/attach ${join(files, "nope")}\n`);
  expect(bad).toMatchObject({ code: 2, stderr: expect.stringContaining("nope: there is no such file") as unknown });
  const lines = [
    "/attach",
    `/attach ${join(files, "dot.png")}`,
    `/attach ${join(files, "Grüße.md")}`,
    "look, as fast as you can",
    "/attach",
    `/attach ${join(files, "dot.png")}`,
    "/attach none",
    "echo: bye",
  ];
  const { stdout, stderr } = await command(["chat", "--profile", "demo"], `${lines.join("\n")}\n`);
  expect(stderr).toBe("");
  const [first = "", then = ""] = stdout.split("› look, as fast as you can");
  expect(first).toContain("nothing is attached");
  expect(first).toContain("+ dot.png (70 B)\n+ Grüße.md (8 B)\ngoes with what you say next");
  expect(then).toContain("\n+ a picture (image/png, 70 B)\n+ Grüße.md (text/plain, 8 B)\n");
  expect(then).toContain("I see a picture (image/png, 70 bytes).");
  expect(then.slice(then.indexOf("› echo: bye"))).not.toContain("+ a picture");
});

test("a rewind brings back what was attached, to be sent again", async () => {
  const said = "look, as fast as you can";
  const lines = [`/attach ${join(files, "dot.png")}`, `/attach ${join(files, "Grüße.md")}`, said, "/rewind", said];
  const { stdout, code } = await command(["chat", "--profile", "demo"], `${lines.join("\n")}\n`);
  expect(code).toBe(0);
  const [, again = ""] = stdout.split("⟲ rewound");
  expect(again).toContain("+ a picture (70 B)\n+ Grüße.md (8 B)\ngoes with what you say next");
  expect(again).toContain(`› ${said}\n+ a picture (image/png, 70 B)\n+ Grüße.md (text/plain, 8 B)\n`);
});

test("sessions context shows what the model would be sent, for people and as JSON", async () => {
  const made = await command(["run", "--profile", "demo", "--system", "be brief", "echo: hi"]);
  expect(made.stdout).toBe("hi\n");
  const { stdout, code } = await command(["sessions", "context", "last", "--limit", "1"]);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^demo · about [\d,]+ tokens\n\nthe session says 2 tokens\nbe brief\n/);
  expect(stdout).toMatch(/\ntodo +\d+ tokens +Keeps the list/);
  expect(stdout).toMatch(/2 messages, the newest 1\nmsg_\w+  assistant  1 token\n$/);
  const all = JSON.parse((await command(["sessions", "context", "last", "--json"])).stdout) as Record<string, unknown>;
  expect(all).toMatchObject({ model: "demo", messageCount: 2, instructions: [{ text: "be brief" }] });
  expect(all["messages"]).toHaveLength(2);
});

test("an export takes pictures and files along where it is told to, and an import brings them back", async () => {
  await run("--image", join(files, "dot.png"), "--file", join(files, "Grüße.md"));
  const [file, folder, again] = ["all.jsonl", "blobs", "again"].map((name) => join(files, name)) as [
    string,
    string,
    string,
  ];
  const bare = await command(["sessions", "export", "last", "-o", file]);
  expect(bare).toMatchObject({
    code: 0,
    stderr: expect.stringContaining("2 pictures and files stay behind; --blobs") as unknown,
  });
  const whole = await command(["sessions", "export", "last", "-o", file, "--blobs", folder]);
  expect(whole).toMatchObject({
    code: 0,
    stderr: expect.stringContaining(`2 of 2 pictures and files are in ${folder}`) as unknown,
  });

  const other = await startEngineProcess();
  try {
    const there = (...args: readonly string[]) => parley(["sessions", ...args, "--data-dir", other.dataDir]);
    expect(await there("import", file, "--blobs", folder)).toMatchObject({ code: 0 });
    await there("export", "-o", `${file}.again`, "--blobs", again);
    const names = readdirSync(folder).toSorted();
    expect(readdirSync(again).toSorted()).toEqual(names);
    for (const name of names) expect(readFileSync(join(again, name))).toEqual(readFileSync(join(folder, name)));
  } finally {
    await other.kill();
  }
});

test("a folder of blobs that are not what they were is refused, and so is one that is not there", async () => {
  const [folder, file] = [join(files, "bad-blobs"), join(files, "none.jsonl")];
  mkdirSync(folder);
  const name = "0".repeat(64);
  writeFileSync(join(folder, name), "changed");
  const bad = await command(["sessions", "import", file, "--blobs", folder]);
  expect(bad).toMatchObject({
    code: 2,
    stderr: expect.stringContaining(`${name} is not what its name says`) as unknown,
  });
  const none = await command(["sessions", "import", file, "--blobs", join(files, "nowhere")]);
  expect(none).toMatchObject({ code: 2, stderr: expect.stringContaining("cannot be used (ENOENT)") as unknown });
});

test("sessions show has what the agent means to do", async () => {
  await command(["run", "--profile", "demo", "make a plan to tidy up"]);
  const { stdout } = await command(["sessions", "show", "last"]);
  expect(stdout).toMatch(/\n▸ See what there is to tidy up\n☐ Tidy up\n☐ Look at what came of it\n$/);
  const { todos } = JSON.parse((await command(["sessions", "show", "last", "--json"])).stdout) as { todos: unknown };
  expect(todos).toHaveLength(3);
});
