import type { OutputStream } from "../tool/tool.ts";
import { endProcesses } from "../tool/process/end-processes.ts";
import { createHunt } from "../tool/process/hunt.ts";
import { type ProcessExit, startProcess } from "../tool/process/process.ts";
import { MARK_NAME } from "../tool/process/process-table.ts";
import { type HookAnswer, MAX_ANSWER_BYTES, parseAnswer } from "./hook-answer.ts";
import { HookFailed, type HookTarget } from "./hook.ts";

/** With this code a program denies, and its standard error says why: the simplest way to write a hook in a shell. */
const DENY_CODE = 2;

/** What a program says that ends well and prints nothing. */
const NO_OPINION: HookAnswer = { decision: "none", reason: "" };

/** A reason is far shorter. */
const MAX_ERROR_CHARS = 4096;

/** A hook that has not ended in time gets so long to do so by itself. */
const GRACE_MS = 200;

export interface CommandCall {
  readonly target: HookTarget & { readonly kind: "command" };
  /** What it reads. */
  readonly input: string;
  /** By which everything that it starts is found. */
  readonly mark: string;
  /** Aborted: it and all that it started are ended. */
  readonly signal: AbortSignal;
}

/** What a program came to. */
interface Ran extends ProcessExit {
  readonly stdout: string;
  readonly stderr: string;
}

/** Asks a program. Throws `HookFailed`, and the signal's reason. */
export async function askCommand(call: CommandCall): Promise<HookAnswer> {
  const { code, signal, stdout, stderr } = await runCommand(call);
  if (code === 0) return stdout.trim() === "" ? NO_OPINION : parseAnswer(stdout);
  if (code === DENY_CODE) return { decision: "deny", reason: stderr };
  throw new HookFailed(endedHow(code, signal));
}

/** Tells a program something. Throws `HookFailed` where it did not end well, and the signal's reason. */
export async function tellCommand(call: CommandCall): Promise<void> {
  const { code, signal } = await runCommand(call);
  if (code !== 0) throw new HookFailed(endedHow(code, signal));
}

function endedHow(code: number | null, signal: NodeJS.Signals | null): string {
  return code === null ? `it was ended by ${signal ?? "a signal"}` : `it ended with code ${code}`;
}

/** Nothing that it started is left when this has settled. */
async function runCommand({ target, input, mark, signal }: CommandCall): Promise<Ran> {
  signal.throwIfAborted();
  const printed = { stdout: "", stderr: "" };
  const tooMuch = new AbortController();
  const onOutput = (stream: OutputStream, text: string): void => {
    if (stream === "stderr") printed.stderr = (printed.stderr + text).slice(0, MAX_ERROR_CHARS);
    else if (printed.stdout.length + text.length <= MAX_ANSWER_BYTES) printed.stdout += text;
    else tooMuch.abort(new HookFailed(`it printed more than ${MAX_ANSWER_BYTES} bytes`));
  };
  const { argv, cwd, env } = target;
  const started = startProcess({ argv, cwd, input, env: { ...env, [MARK_NAME]: mark }, onOutput });
  const end = endOnce(started.pid, mark);
  const stop = AbortSignal.any([signal, tooMuch.signal]);
  try {
    const exit = await untilAborted(started.exited, stop);
    // What it has left behind may hold its output open.
    await end();
    await untilAborted(started.drained, stop);
    return { ...exit, ...printed };
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException;
    if (syscall === undefined) throw error;
    throw new HookFailed(`it cannot be started (${code ?? syscall})`);
  } finally {
    await end();
    started.closeOutput();
  }
}

/** Ends a program with all that it has started, the first time it is called. */
function endOnce(pid: number | undefined, mark: string): () => Promise<unknown> {
  if (pid === undefined) return () => Promise.resolve();
  const hunt = createHunt({ isMarked: (found) => found === mark, leader: pid });
  let ending: Promise<unknown> | undefined;
  return () => (ending ??= endProcesses(hunt, GRACE_MS));
}

function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
