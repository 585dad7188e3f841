import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { beside, inTerminal, parley, shellInTerminal, startParley } from "./cli-process.ts";
import { type EngineProcess, makeTempDir, startEngineProcess } from "./helpers/engine-process.ts";

let engine: EngineProcess;
let workspace: string;
beforeAll(async () => {
  engine = await startEngineProcess();
});
afterAll(() => engine.kill());
beforeEach(() => {
  workspace = makeTempDir("work");
});

const here = (): string[] => ["--data-dir", engine.dataDir];
const inFolder = (): string[] => ["--workspace", workspace, ...here()];
const key = (text: string) => ({ send: text });
/** Shown when a key would be taken as an answer. */
const READY = { wait: "y once · n no" };
const CTRL_C = key("\u0003");
const touched = (): boolean => existsSync(join(workspace, "a.txt"));

async function newest(): Promise<{ readonly id?: string; readonly state?: string }> {
  const { stdout } = await parley(["sessions", "list", "--limit", "1", "--json", ...here()]);
  return stdout === "" ? {} : (JSON.parse(stdout) as { id: string });
}

describe("a run at a terminal", () => {
  test("asks on the spot, as a chat does, and goes on with the answer", async () => {
    const steps = [{ wait: "Run this command?" }, READY, key("y"), { wait: "exit code 0" }];
    const { seen, code } = await inTerminal(["run", "run `touch a.txt`", ...inFolder()], steps);
    expect(code).toBe(0);
    expect(seen).toContain("✓ allowed once · shell touch a.txt");
    expect(seen).not.toContain("requests answer");
    expect(touched()).toBe(true);
  });

  test("asks on the terminal where its answer goes into a file, which holds the answer alone", async () => {
    const line = `parley run 'ask me to choose between tea and coffee' ${inFolder().join(" ")} > ${workspace}/out`;
    const steps = [{ wait: "1 to 2 chooses" }, key("2"), { wait: "→ coffee" }];
    const { code } = await shellInTerminal(["sh", "-c", line], steps);
    expect(code).toBe(0);
    expect(readFileSync(join(workspace, "out"), "utf8")).toMatch(/You answered: coffee\n$/);
    expect(readFileSync(join(workspace, "out"), "utf8")).not.toContain("chooses");
  });

  test("says who answered elsewhere, and what", async () => {
    const steps = [
      READY,
      { wait: "│ touch a.txt" },
      beside("requests", "answer", "last", "--deny", "--reason", "not today", ...here()),
      { wait: "✗ denied by admin: not today" },
      { wait: "I was not allowed" },
    ];
    expect((await inTerminal(["run", "run `touch a.txt`", ...inFolder()], steps)).code).toBe(0);
    expect(touched()).toBe(false);
  });

  test("Ctrl-C answers nothing at first; the second stops the turn, and says so", async () => {
    const steps = [READY, CTRL_C, { wait: "nothing was answered" }, { wait: "Tab answers" }, CTRL_C];
    const { seen, code } = await inTerminal(["run", "run `touch a.txt`", ...inFolder()], steps);
    expect(code).toBe(130);
    expect(seen).toContain("the turn was stopped");
    expect(await newest()).toMatchObject({ state: "SESSION_STATE_IDLE" });
    expect(touched()).toBe(false);
  });

  test("says how to answer from elsewhere where the text was typed to its end, which leaves no keys", async () => {
    const steps = [
      { wait: "Ctrl-D ends it" },
      key("run `touch a.txt`\n\u0004"),
      { wait: "requests answer req_" },
      beside("requests", "answer", "last", "--approve", ...here()),
      { wait: "exit code 0" },
    ];
    expect((await inTerminal(["run", ...inFolder()], steps)).code).toBe(0);
  });
});

describe("a run that is ended from outside", () => {
  test.for(["SIGINT", "SIGTERM"] as const)("%s cancels its turn, says so, and ends with 130", async (signal) => {
    const running = startParley(["run", "talk without end", ...here()]);
    await running.sees("1. quick");
    running.child.kill(signal);
    const ended = await running.ended;
    expect(ended.code).toBe(130);
    expect(ended.stderr).toContain("stopping the turn; once more leaves at once");
    expect(ended.stderr).toContain("the turn was stopped");
    expect(await newest()).toMatchObject({ state: "SESSION_STATE_IDLE" });
  });

  test("a turn that is refused before it began leaves no session behind", async () => {
    const before = await newest();
    const path = join(workspace, "note.txt");
    writeFileSync(path, "a note");
    // A message holds as much as its text alone, but not the file beside it.
    const text = "x".repeat(1024 * 1024);
    expect(await parley(["run", "-", "--file", path, ...here()], text)).toMatchObject({ code: 4, stdout: "" });
    expect((await newest()).id).toBe(before.id);
  });
});
