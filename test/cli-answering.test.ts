import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { inTerminal, parley, type SeenInTerminal, type TerminalStep } from "./cli-process.ts";
import { type EngineProcess, makeTempDir, startEngineProcess } from "./helpers/engine-process.ts";

const LAUNCHER = join(import.meta.dirname, "../bin/parley");

let engine: EngineProcess;
let workspace: string;
beforeAll(async () => {
  engine = await startEngineProcess();
});
afterAll(() => engine.kill());
beforeEach(() => {
  workspace = makeTempDir("work");
});

const NEW = { wait: "○ new session" };
const IDLE = { wait: "○ idle" };
const CTRL_C = { send: "\u0003" };
const CTRL_D = { send: "\u0004" };
const ESCAPE = { send: "\u001B" };
/** Shown when a key would be taken as an answer. */
const READY = { wait: "y once · n no" };
const key = (text: string) => ({ send: text });
const say = (text: string) => ({ send: `${text}\r` });

function chat(steps: readonly TerminalStep[], env?: Readonly<Record<string, string>>): Promise<SeenInTerminal> {
  return inTerminal(["chat", "--data-dir", engine.dataDir, "--workspace", workspace], steps, env);
}

/** Answers the only open request from elsewhere. */
function answerElsewhere(options: string): TerminalStep {
  const here = `--data-dir ${engine.dataDir}`;
  const find = `"${LAUNCHER}" requests list --json ${here} | grep -o 'req_[a-z0-9]*' | head -1`;
  return { run: ["sh", "-c", `"${LAUNCHER}" requests answer $(${find}) ${options} ${here}`] };
}

async function isAnythingOpen(): Promise<boolean> {
  return (await parley(["requests", "list", "--data-dir", engine.dataDir])).stdout !== "";
}

describe("a call that waits for leave in a chat", () => {
  test("is shown with its diff, and y lets it run, once", async () => {
    const { raw, seen, code } = await chat([
      NEW,
      say("write a file named hello.txt that says Hello"),
      { wait: "Write hello.txt?" },
      READY,
      key("y"),
      { wait: "Done: made hello.txt" },
      IDLE,
      CTRL_D,
    ]);
    expect(code).toBe(0);
    expect(raw).toContain("\u001B[32m+Hello\u001B[39m");
    expect(seen).toContain("✓ allowed once · write_file hello.txt\n✎ made hello.txt (+1)\n");
    expect(readFileSync(join(workspace, "hello.txt"), "utf8")).toBe("Hello\n");
  });

  test("stands before /revert, which says what to do first; Escape goes back to what is asked", async () => {
    const { seen, code } = await chat([
      NEW,
      say("write a file named hello.txt that says Hello"),
      READY,
      say("/revert"),
      { wait: "the turn waits for you; answer what is asked, or stop it with Ctrl-C first" },
      READY,
      ESCAPE,
      { wait: "Tab answers" },
      ESCAPE,
      READY,
      key("y"),
      { wait: "Done: made hello.txt" },
      IDLE,
      CTRL_D,
    ]);
    expect(code).toBe(0);
    expect(seen).not.toContain("runs turn");
  });

  test("is denied with a reason, which the model is told", async () => {
    writeFileSync(join(workspace, "keep.txt"), "");
    const steps = [NEW, say("delete keep.txt"), READY, key("r"), { wait: "Why not?" }, say("it is mine")];
    const { seen } = await chat([...steps, { wait: "I was not allowed to run" }, IDLE, CTRL_D]);
    expect(seen).toContain("✗ denied: it is mine · shell rm keep.txt");
    expect(existsSync(join(workspace, "keep.txt"))).toBe(true);
  });

  test("is changed before it is let run: what runs is what was shown last", async () => {
    const { seen } = await chat([
      NEW,
      say("run `touch asked.txt`"),
      READY,
      key("e"),
      { wait: "› touch asked.txt" },
      say("\u0015touch edited.txt"),
      { wait: "(as you edited it)" },
      READY,
      key("y"),
      { wait: "As you changed it" },
      IDLE,
      CTRL_D,
    ]);
    expect(seen).toContain("✓ allowed once, as edited · shell touch edited.txt");
    expect(existsSync(join(workspace, "edited.txt"))).toBe(true);
    expect(existsSync(join(workspace, "asked.txt"))).toBe(false);
  });

  test("other arguments are changed as JSON in the human's editor, which gets the terminal", async () => {
    const editor = join(workspace, "editor.sh");
    writeFileSync(editor, '#!/bin/sh\nsed -i s/Hello/Edited/ "$1"\n', { mode: 0o755 });
    const steps = [
      NEW,
      say("write a file named a.txt that says Hello"),
      READY,
      key("e"),
      { wait: "(as you edited it)" },
    ];
    await chat([...steps, READY, key("y"), { wait: "As you changed it" }, IDLE, CTRL_D], { EDITOR: editor });
    expect(readFileSync(join(workspace, "a.txt"), "utf8")).toBe("Edited\n");
  });

  test("always shows the rule it would write, the narrowest first; what is tied to the call is asked about again", async () => {
    const { seen } = await chat([
      NEW,
      say("run `touch a.txt`"),
      READY,
      key("a"),
      { wait: "› 1 allow shell touch a.txt" },
      { wait: "[this session]" },
      key("\r"),
      { wait: "and from now on: allow shell touch a.txt (session)" },
      IDLE,
      say("run `touch a.txt`, then run `touch a.txt; rm a.txt`"),
      { wait: "│ touch a.txt; rm a.txt" },
      READY,
      key("n"),
      { wait: "I was not allowed" },
      IDLE,
      CTRL_D,
    ]);
    expect(seen.split("✓ allowed").length).toBe(2);
    expect(existsSync(join(workspace, "a.txt"))).toBe(true);
  });

  test("says who answered it elsewhere, and what", async () => {
    const { seen } = await chat([
      NEW,
      say("run `touch a.txt`"),
      READY,
      answerElsewhere("--deny --reason 'not today'"),
      { wait: "✗ denied by admin: not today" },
      IDLE,
      CTRL_D,
    ]);
    expect(seen).not.toContain("y once");
  });

  test("cannot steer the terminal", async () => {
    const { seen, raw } = await chat([
      NEW,
      key("run `echo \u202Eevil\u202C; touch x`"),
      key("\r"),
      { wait: "│ echo <U+202E>evil<U+202C>; touch x" },
      READY,
      key("n"),
      IDLE,
      CTRL_D,
    ]);
    expect(seen).toContain("✗ denied · shell echo <U+202E>evil");
    expect(raw).not.toContain("\u202Eevil");
  });
});

describe("what is not meant as an answer", () => {
  test("is no answer: keys that were typed when it appeared stay in the line, and Tab leads to it", async () => {
    const { code } = await chat([
      NEW,
      say("run `touch a.txt`"),
      key("yy"),
      { wait: "› yy" },
      { wait: "Tab answers" },
      key("\t"),
      READY,
      key("n"),
      { wait: "✗ denied" },
      { wait: "› yy" },
      CTRL_C,
      { gone: "› yy" },
      IDLE,
      CTRL_D,
    ]);
    expect(code).toBe(0);
    expect(existsSync(join(workspace, "a.txt"))).toBe(false);
  });

  test("a double press answers one, and not the next", async () => {
    const { seen } = await chat([
      NEW,
      say("run `touch a.txt` and run `touch b.txt`"),
      { wait: "1 of 2" },
      READY,
      key("yyy"),
      { wait: "✓ allowed once" },
      READY,
      key("n"),
      { wait: "✗ denied" },
      IDLE,
      CTRL_D,
    ]);
    expect(seen.split("✓ allowed once").length).toBe(2);
    expect(existsSync(join(workspace, "a.txt")) && existsSync(join(workspace, "b.txt"))).toBe(false);
  });

  test("Ctrl-C and Escape answer nothing; who leaves finds it again, here and elsewhere", async () => {
    const first = await chat([
      NEW,
      say("run `touch a.txt`"),
      READY,
      CTRL_C,
      { wait: "nothing was answered, it waits on" },
      { wait: "Tab answers" },
      CTRL_D,
    ]);
    expect(first.seen).toContain("the turn goes on");
    expect(await isAnythingOpen()).toBe(true);
    const back = ["chat", "--continue", "--data-dir", engine.dataDir];
    const { seen } = await inTerminal(back, [
      { wait: "│ touch a.txt" },
      READY,
      ESCAPE,
      { wait: "Tab answers" },
      key("\t"),
      READY,
      key("y"),
      { wait: "✓ allowed once" },
      IDLE,
      CTRL_D,
    ]);
    expect(seen).toContain("exit code 0");
    expect(existsSync(join(workspace, "a.txt"))).toBe(true);
  });
});

describe("questions in a chat", () => {
  test("are answered by number, with words, and field by field", async () => {
    const { seen } = await chat([
      NEW,
      say("ask me to choose between tea and coffee"),
      { wait: "1 to 2 chooses" },
      key("2"),
      { wait: "→ coffee" },
      IDLE,
      say("ask me: how many?"),
      { wait: "type your answer" },
      key("3 or 4\r"),
      { wait: "You answered: 3 or 4" },
      IDLE,
      say("ask me to fill in a form"),
      { wait: "Enter fills it in" },
      key("\r"),
      { wait: "Your name 1 of 3" },
      key("\r"),
      { wait: "this has to be filled in" },
      key("Ada\r"),
      { wait: "What you drink 2 of 3" },
      key("1"),
      { wait: "How many cups 3 of 3" },
      key("many\r"),
      { wait: "give a number" },
      key("\u001510\r"),
      { wait: "give 9 or less" },
      key("\u00152\r"),
      { wait: "Enter sends it" },
      key("\r"),
      { wait: '"cups":2' },
      IDLE,
      CTRL_D,
    ]);
    expect(seen).toContain('{"name":"Ada","drink":"tea","cups":2}');
  });
});

describe("without a terminal", () => {
  test("a run says on stderr how to answer from elsewhere, and waits", async () => {
    const here = ["--data-dir", engine.dataDir];
    const running = parley(["run", "run `touch a.txt`", "--workspace", workspace, ...here]);
    await expect.poll(isAnythingOpen).toBe(true);
    const { stdout } = await parley(["requests", "list", "--json", ...here]);
    const { id } = JSON.parse(stdout) as { id: string };
    expect(await parley(["requests", "answer", id, "yes", ...here])).toMatchObject({ code: 2 });
    const answered = await parley(["requests", "answer", id, "--approve", "--scope", "session", ...here]);
    expect(answered.stdout).toContain("allowed by admin, and from now on: allow shell touch a.txt (session)");
    const ended = await running;
    expect(ended.code).toBe(0);
    expect(ended.stderr).toContain("a human is asked: ");
    expect(ended.stderr).toContain(`requests answer ${id}`);
    expect(ended.stdout).toContain("exit code 0");
  });

  test("at a limit a run says between what to choose, and waits; with --approve none it ends with 5", async () => {
    const here = ["--data-dir", engine.dataDir];
    mkdirSync(join(engine.dataDir, "agents"), { recursive: true });
    const definition = "---\ndescription: One step\nprofile: demo\nlimits: {max_steps: 1}\n---\nYou stop early.\n";
    writeFileSync(join(engine.dataDir, "agents", "brief.md"), definition);
    const run = async (approve: string) =>
      parley(["run", "--agent", "brief", "run `true`", "--approve", approve, "--workspace", workspace, ...here]);
    const running = run("all");
    await expect.poll(isAnythingOpen).toBe(true);
    const { id } = JSON.parse((await parley(["requests", "list", "--json", ...here])).stdout) as { id: string };
    await parley(["requests", "answer", id, "continue", ...here]);
    const ended = await running;
    expect(ended.code).toBe(0);
    expect(ended.stderr).toMatch(new RegExp(`requests answer ${id}[^\n]* continue\\|stop\\n`));
    const unasked = await run("none");
    expect(unasked.code).toBe(5);
    expect(unasked.stderr).not.toContain("a human is asked");
    expect(await isAnythingOpen()).toBe(false);
  });

  test("--approve says what runs unasked: nothing that would be asked about, or everything", async () => {
    const run = async (approve: string) =>
      parley([
        "run",
        `run \`touch ${approve}.txt\``,
        "--approve",
        approve,
        "--workspace",
        workspace,
        "--data-dir",
        engine.dataDir,
      ]);
    expect((await run("none")).stdout).toContain("I was not allowed");
    expect((await run("all")).stdout).toContain("exit code 0");
    expect(execFileSync("ls", [workspace], { encoding: "utf8" })).toBe("all.txt\n");
  });
});
