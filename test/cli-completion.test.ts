import { spawnSync } from "node:child_process";
import { afterAll, beforeAll, expect, test } from "vitest";
import { inShell, parley, shellInTerminal } from "./cli-process.ts";
import { type EngineProcess, startEngineProcess } from "./helpers/engine-process.ts";

let engine: EngineProcess;
beforeAll(async () => {
  engine = await startEngineProcess();
  await parley(["run", "echo: hi", "--data-dir", engine.dataDir]);
  await parley(["sessions", "rename", "last", 'it\'s "quoted" $(touch /tmp/never) `x`', "--data-dir", engine.dataDir]);
});
afterAll(() => engine.kill());

/** What bash would offer for a line. */
function inBash(...words: readonly string[]): string[] {
  const typed = words.map((word) => `'${word}'`).join(" ");
  const ended = inShell(
    `source <(parley completion bash); COMP_WORDS=(parley ${typed}); COMP_CWORD=${words.length}; _parley; printf '%s\\n' "\${COMPREPLY[@]}"`,
  );
  expect(ended).toMatchObject({ code: 0, stderr: "" });
  return ended.stdout.split("\n").filter((line) => line !== "");
}

test("bash completes commands, options and their values, each with what it does", () => {
  expect(inBash("sess")).toEqual(["sessions"]);
  expect(inBash("sessions", "un")).toEqual([
    "unstar  (take the stars of sessions away)",
    "unlabel  (take labels of a session away)",
  ]);
  expect(inBash("sessions", "list", "--ord")).toEqual(["--order"]);
  expect(inBash("sessions", "list", "--order", "t")).toEqual(["title"]);
  expect(inBash("completion", "")).toEqual(["bash", "zsh", "fish"]);
  expect(inBash("nonsense", "x")).toEqual([]);
});

test("sessions come with their titles, and profiles, from the engine that the line is about", () => {
  const where = ["--data-dir", engine.dataDir];
  expect(inBash("sessions", "show", ...where, "ses_")).toMatchObject([expect.stringMatching(/^ses_\w{25}$/)]);
  expect(inBash("chat", ...where, "--profile", "d")).toEqual(["demo"]);
});

test("where the engine is away nothing is offered, and nothing said", () => {
  expect(inBash("sessions", "show", "--data-dir", "/nonexistent", "")).toEqual([]);
  expect(inBash("sessions", "show", "--url", "http://127.0.0.1:1", "")).toEqual([]);
});

test("every command and every option that the help shows is offered", async () => {
  const offered = new Set(inBash("").map((line) => line.split(" ")[0]));
  const { stdout } = await parley(["--help"]);
  const listed = [...stdout.slice(stdout.indexOf("Commands:")).matchAll(/^ {2}([a-z]+)/gm)].map(([, name]) => name);
  expect(listed.length).toBeGreaterThan(10);
  for (const name of listed) expect(offered).toContain(name);
});

test("Tab works in a real bash", async () => {
  const steps = [
    { send: 'PS1="ready$ "; eval "$(parley completion bash)"; clear\r' },
    { wait: "ready$ " },
    { send: "parley sessions expo\t" },
    { wait: "ready$ parley sessions export" },
    { send: `--data-dir ${engine.dataDir} ses\t` },
    { wait: "ses_1" },
    { send: "\u0003exit\r" },
  ];
  const { seen } = await shellInTerminal(["bash", "--norc", "--noprofile", "-i"], steps);
  expect(seen).toMatch(/export --data-dir \S+ ses_\w{25}/);
});

const has = (shell: string): boolean => spawnSync(shell, ["--version"]).status === 0;

test.skipIf(!has("zsh"))("Tab works in a real zsh", async () => {
  const steps = [
    { send: 'PS1="ready$ "; autoload -U compinit; compinit -u -D; eval "$(parley completion zsh)"; clear\r' },
    { wait: "ready$ " },
    { send: "parley sessions expo\t" },
    { wait: "ready$ parley sessions export" },
    { send: `--data-dir ${engine.dataDir} ses\t` },
    { wait: "ses_1" },
    { send: "\u0003exit\r" },
  ];
  expect((await shellInTerminal(["zsh", "-f", "-i"], steps)).seen).toMatch(/export --data-dir \S+ ses_\w{25}/);
});

test.skipIf(!has("fish"))("fish reads its completion, and asks us", () => {
  const line = "parley completion fish | source; complete -C 'parley sessions expo'";
  const ended = inShell(`export PATH="$PWD/bin:$PATH"; fish --no-config -c ${JSON.stringify(line)}`);
  expect(ended.stdout).toMatch(/^export\t/);
});
