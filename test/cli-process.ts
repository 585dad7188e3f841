import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process";
import { dirname, join } from "node:path";

const ROOT = join(import.meta.dirname, "..");
const LAUNCHER = join(ROOT, "bin/parley");
const TERMINAL = join(import.meta.dirname, "cli-terminal.py");

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command line that runs. */
export interface Running {
  readonly child: ChildProcessWithoutNullStreams;
  readonly ended: Promise<Ended>;
  stdout(): string;
  stderr(): string;
  /** Resolves when stdout holds the text; rejects when the command ends without it. */
  sees(text: string): Promise<void>;
}

/** No setting of whoever runs the tests reaches the commands. */
function cleanEnv(more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^(PARLEY|OPENAI)_|^(NO|FORCE)_COLOR$/.test(name));
  return { ...Object.fromEntries(kept), TERM: "xterm-256color", ...more };
}

/** Starts `bin/parley` with pipes. */
export function startParley(args: readonly string[], env?: Readonly<Record<string, string>>): Running {
  const child = spawn(LAUNCHER, args, { env: cleanEnv(env) });
  let stdout = "";
  let stderr = "";
  const watchers = new Set<() => void>();
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    for (const check of watchers) check();
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  child.stdin.on("error", () => undefined);
  const ended = new Promise<Ended>((resolve) => child.once("close", (code) => resolve({ code, stdout, stderr })));
  return {
    child,
    ended,
    stdout: () => stdout,
    stderr: () => stderr,
    sees: (text) =>
      new Promise((resolve, reject) => {
        const check = (): void => {
          if (!stdout.includes(text)) return;
          watchers.delete(check);
          resolve();
        };
        watchers.add(check);
        check();
        void ended.then((end) => reject(new Error(`ended without "${text}": ${JSON.stringify(end)}`)));
      }),
  };
}

/** Runs `bin/parley` to its end, with `input` piped in. */
export async function parley(
  args: readonly string[],
  input = "",
  env?: Readonly<Record<string, string>>,
): Promise<Ended> {
  const running = startParley(args, env);
  running.child.stdin.end(input);
  return running.ended;
}

export interface SeenInTerminal {
  /** With colours and cursor movements, line ends as `\n`. */
  readonly raw: string;
  /** What a human sees at the end, with all that scrolled away, in lines as they would be copied. */
  readonly seen: string;
  readonly code: number;
}

export type TerminalStep =
  /** Until a human sees it. */
  | { readonly wait: string }
  /** Until nobody sees it any more. */
  | { readonly gone: string }
  | { readonly send: string }
  /** Beside it, to its end: a command and its arguments. */
  | { readonly run: readonly string[] }
  | { readonly size: readonly [number, number] };

/** A step that runs `bin/parley` beside the terminal. */
export function beside(...args: readonly string[]): TerminalStep {
  return { run: [LAUNCHER, ...args] };
}

/** Runs `bin/parley` in a pseudo-terminal and plays a human. Throws where something was not seen that was waited for. */
export async function inTerminal(
  args: readonly string[],
  steps: readonly TerminalStep[],
  env?: Readonly<Record<string, string>>,
): Promise<SeenInTerminal> {
  return commandInTerminal([LAUNCHER, ...args], steps, env);
}

/** The same for a shell in which `parley` is a command. */
export async function shellInTerminal(
  command: readonly string[],
  steps: readonly TerminalStep[],
): Promise<SeenInTerminal> {
  return commandInTerminal(command, steps, { PATH: `${dirname(LAUNCHER)}:${process.env["PATH"]}` });
}

async function commandInTerminal(
  command: readonly string[],
  steps: readonly TerminalStep[],
  env?: Readonly<Record<string, string>>,
): Promise<SeenInTerminal> {
  const child = spawn("python3", [TERMINAL, JSON.stringify(steps), ...command], { env: cleanEnv(env) });
  let output = "";
  let errors = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
  await new Promise((resolve) => child.once("close", resolve));
  if (errors !== "") throw new Error(errors);
  const ended = JSON.parse(output) as { raw: string; seen: string; code: number; missed: string | null };
  if (ended.missed !== null) throw new Error(`"${ended.missed}" was not seen in:\n${ended.seen}`);
  return { raw: ended.raw.replaceAll("\r\n", "\n"), seen: ended.seen, code: ended.code };
}

/** Runs a line of shell with `parley` as a command in it. */
export function inShell(line: string, env?: Readonly<Record<string, string>>): Ended {
  const script = `set -o pipefail; parley() { "${LAUNCHER}" "$@"; }; ${line}`;
  const { status, stdout, stderr } = spawnSync("bash", ["-c", script], { env: cleanEnv(env), encoding: "utf8" });
  return { code: status, stdout, stderr };
}
