import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { beside, inTerminal, parley, startParley } from "./cli-process.ts";
import { type EngineProcess, startEngineProcess } from "./helpers/engine-process.ts";

let engine: EngineProcess;
beforeAll(async () => {
  engine = await startEngineProcess();
});
afterAll(() => engine.kill());

const here = (): string[] => ["--data-dir", engine.dataDir];
const CTRL_C = { send: "\u0003" };
const CTRL_D = { send: "\u0004" };

async function newestSession(): Promise<string> {
  const { stdout } = await parley(["sessions", "list", "--limit", "1", "--json", ...here()]);
  return stdout === "" ? "" : (JSON.parse(stdout) as { id: string }).id;
}

test("lines from a pipe are answered one after the other", async () => {
  const ended = await parley(["chat", ...here()], "echo: one\n\necho: two\\\nlines\necho: three");
  expect(ended).toEqual({
    code: 0,
    stdout: "› echo: one\n\none\n\n› echo: two\nlines\n\ntwo\nlines\n\n› echo: three\n\nthree\n",
    stderr: "",
  });
});

test("a chat as JSON is the session's events", async () => {
  const { stdout, code } = await parley(["chat", "--json", ...here()], "echo: one\necho: two\n");
  const events = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(events.filter((event) => "turnEnded" in event).length).toBe(2);
  expect(code).toBe(0);
});

test("looking in leaves no session behind", async () => {
  const before = await newestSession();
  const { seen, code } = await inTerminal(["chat", ...here()], [{ wait: "› " }, CTRL_D]);
  expect(seen).toContain("is no AI");
  expect(code).toBe(0);
  expect(await newestSession()).toBe(before);
});

test("on a terminal: what was typed stands once, tools are one line each, thoughts are dim", async () => {
  const steps = [
    { wait: "› " },
    { send: "think: what time is it in Tokyo?\r" },
    { wait: "Asia/Tokyo" },
    { wait: "It is" },
    { wait: "› " },
    CTRL_D,
  ];
  const { raw, seen, code } = await inTerminal(["chat", ...here()], steps);
  expect(code).toBe(0);
  expect(seen.split("think: what time is it in Tokyo?").length).toBe(2);
  expect(seen).toMatch(/\n⚙ now\(\{"timezone":"Asia\/Tokyo"\}\) → .*\n/);
  expect(raw).toContain("\u001B[2mThe\u001B[22m");
  expect(seen).toContain(`go on with \`parley chat --session ${await newestSession()}`);
});

test("Ctrl-C stops the answer, and the chat goes on; a second one leaves with 130", async () => {
  const steps = [
    { wait: "› " },
    { send: "talk without end\r" },
    { wait: "no AI" },
    CTRL_C,
    { wait: "■ stopped" },
    { wait: "› " },
    { send: "echo: still here\r" },
    { wait: "\nstill here" },
    { wait: "› " },
    { send: "half a line" },
    { wait: "half a line" },
    CTRL_C,
    { wait: "› " },
    CTRL_C,
  ];
  const { code, seen } = await inTerminal(["chat", ...here()], steps);
  expect(code).toBe(130);
  expect(seen).not.toContain("half a line\n\n");
});

test("leaving during an answer leaves it to go on, and says how to see it", async () => {
  const steps = [{ wait: "› " }, { send: "write 30 words slowly\r" }, { wait: "no AI" }, CTRL_D];
  const { code, seen } = await inTerminal(["chat", ...here()], steps);
  expect(code).toBe(0);
  const id = await newestSession();
  expect(seen).toContain(`the turn goes on; see it with \`parley watch ${id}`);
  // Who comes back sees it from its beginning.
  const back = await inTerminal(
    ["chat", "--continue", ...here()],
    [{ wait: "write 30 words slowly" }, { wait: "no AI" }, CTRL_C, { wait: "stopped" }, CTRL_D],
  );
  expect(back.seen.split("write 30 words slowly\n\nI am no AI").length).toBe(2);
});

test("a line that was typed while an answer came is sent after it, and shown once", async () => {
  const steps = [
    { wait: "› " },
    { send: "write 20 words at 10 words a second\r" },
    { wait: "no AI" },
    { send: "echo: typed ahead\r" },
    { wait: "› echo: typed ahead" },
    { wait: "\ntyped ahead" },
    { wait: "› " },
    CTRL_D,
  ];
  const { seen, code } = await inTerminal(["chat", ...here()], steps);
  expect(code).toBe(0);
  expect(seen.split("echo: typed ahead").length).toBe(2);
});

test("what others say in the session appears, and what one is typing stays", async () => {
  await parley(["run", "echo: begin", ...here()]);
  const id = await newestSession();
  const watching = startParley(["watch", id, ...here()]);
  await watching.sees("\nbegin");
  const { code } = await inTerminal(
    ["chat", "--session", id, ...here()],
    [
      { wait: "\nbegin" },
      { wait: "› " },
      { send: "my own wor" },
      { wait: "my own wor" },
      beside("run", "echo: from elsewhere", "--session", id, ...here()),
      { wait: "› echo: from elsewhere" },
      { wait: "\nfrom elsewhere" },
      { wait: "› my own wor" },
      { send: "\u0015echo: mine\r" },
      { wait: "\nmine" },
      { wait: "› " },
      CTRL_D,
    ],
  );
  expect(code).toBe(0);
  // Who watches sees the same.
  await watching.sees("\nmine");
  watching.child.kill("SIGINT");
  expect((await watching.ended).stdout).toBe(
    "› echo: begin\n\nbegin\n\n› echo: from elsewhere\n\nfrom elsewhere\n\n› echo: mine\n\nmine\n",
  );
});

test("a chat goes on when its engine is killed and started again", async () => {
  const first = await startEngineProcess();
  const { dataDir } = first;
  const second = first.exited.then(() => startEngineProcess({ dataDir }));
  const steps = [
    { wait: "› " },
    { send: "talk without end\r" },
    { wait: "no AI" },
    { run: ["kill", "-9", String(first.pid)] },
    { wait: "✗ interrupted" },
    { wait: "› " },
    { send: "echo: alive\r" },
    { wait: "\nalive" },
    { wait: "› " },
    CTRL_D,
  ];
  expect((await inTerminal(["chat", "--data-dir", dataDir], steps)).code).toBe(0);
  await (await second).kill();
});

test("a session that is deleted ends its chat with one line", async () => {
  await parley(["run", "echo: begin", ...here()]);
  const id = await newestSession();
  const steps = [{ wait: "\nbegin" }, { wait: "› " }, beside("sessions", "delete", id, ...here()), { wait: "deleted" }];
  expect((await inTerminal(["chat", "--session", id, ...here()], steps)).code).toBe(4);
});

test("control characters and invisible ones of a model are shown, not obeyed; pipes get them as they are", async () => {
  const nasty = "red\u001B[31m bell\u0007 up\u009B2A over\u202Egnp\u202C zero\u200Bwidth \u{E0041}tag";
  const { raw } = await inTerminal(["run", `echo: ${nasty}`, ...here()], []);
  expect(raw).toContain("red␛[31m bell␇ up<U+009B>2A over<U+202E>gnp<U+202C> zero<U+200B>width <U+E0041>tag");
  expect((await parley(["run", `echo: ${nasty}`, ...here()])).stdout).toBe(`${nasty}\n`);
  // Titles too.
  const list = await inTerminal(["sessions", "list", "--limit", "1", ...here()], []);
  expect(list.raw).toContain("red␛[31m");
});

test("colours need a terminal and nobody who forbids them", async () => {
  const steps = [{ wait: "› " }, CTRL_D];
  const colored = await inTerminal(["chat", ...here()], steps);
  expect(colored.raw).toContain("\u001B[36m›");
  expect((await inTerminal(["chat", "--no-color", ...here()], steps)).raw).not.toContain("\u001B[36m");
  expect((await inTerminal(["chat", ...here()], steps, { NO_COLOR: "1" })).raw).not.toContain("\u001B[36m");
});

test("the token does not appear in what a chat shows", async () => {
  const token = readFileSync(join(engine.dataDir, "token"), "utf8").trim();
  const { raw } = await inTerminal(
    ["chat", ...here()],
    [{ wait: "› " }, { send: "echo: hi\r" }, { wait: "\nhi" }, CTRL_D],
  );
  expect(raw).not.toContain(token);
});
