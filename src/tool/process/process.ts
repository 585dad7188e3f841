import { type ChildProcess, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { StringDecoder } from "node:string_decoder";
import { createPace, type Pace } from "./pace.ts";
import type { OutputStream } from "../tool.ts";

/**
 * Who prints more is held up: on a busy machine the memory of what was read is given back a few seconds later, and the rest of the
 * engine has to have its share of the time.
 */
const MAX_BYTES_PER_SECOND = 32 * 1024 * 1024;

/** What is to be run: an argument vector, never a text for a shell. */
export interface ProcessRequest {
  readonly argv: readonly [program: string, ...rest: string[]];
  /** All of its environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** What it reads; absent = nothing. One that does not read it to the end is not held up. */
  readonly input?: string;
  /** Told what it prints. Nothing more is read from it before the answer has resolved. */
  readonly onOutput: (stream: OutputStream, text: string) => Promise<void> | void;
}

/**
 * Puts a command into a sandbox: gives what is to be run instead. `cleanup` is called once nothing of it lives. The one place
 * between what a tool asks for and what the system is asked to start.
 */
export type SandboxWrap = (
  argv: ProcessRequest["argv"],
  place: {
    readonly workspace: string;
    readonly sessionId: string;
    readonly env: Readonly<Record<string, string>>;
  },
) => Promise<{
  readonly argv: ProcessRequest["argv"];
  readonly env: Readonly<Record<string, string>>;
  readonly cleanup: () => Promise<void> | void;
}>;

/** How a process ended: with a code, or by a signal. */
export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A process that leads a group and a session of its own, without a terminal. */
export interface StartedProcess {
  /** Undefined where it could not be started; `exited` says why. */
  readonly pid: number | undefined;
  /** Rejects where it could not be started. Does not wait for its output, nor for what it started. */
  readonly exited: Promise<ProcessExit>;
  /** All that it and its children print was told. Rejects where `onOutput` did. */
  readonly drained: Promise<void>;
  /** Reads no more. */
  closeOutput(): void;
}

export function startProcess({ argv, env, cwd, input, onOutput }: ProcessRequest): StartedProcess {
  const [program, ...rest] = argv;
  const stdin = input === undefined ? "ignore" : "pipe";
  const child: ChildProcess = spawn(program, rest, { env, cwd, detached: true, stdio: [stdin, "pipe", "pipe"] });
  // It need not read: that it has closed its end is told by what it prints, or by its end.
  child.stdin?.on("error", () => undefined).end(input);
  const { stdout, stderr } = child;
  const pace = createPace(MAX_BYTES_PER_SECOND);
  const tell = async (stream: OutputStream, output: Readable | null | undefined): Promise<void> => {
    // There is none where no descriptor was left to start it with.
    if (output) await readAll(output, pace, (text) => onOutput(stream, text));
  };
  const drained = Promise.all([tell("stdout", stdout), tell("stderr", stderr)]).then(() => undefined);
  const exited = exitOf(child);
  // Both are told to who waits for them, which may be later than they happen.
  drained.catch(() => undefined);
  exited.catch(() => undefined);
  return {
    pid: child.pid,
    exited,
    drained,
    closeOutput() {
      stdout?.destroy();
      stderr?.destroy();
    },
  };
}

function exitOf(child: ChildProcess): Promise<ProcessExit> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => resolve({ code, signal }));
  });
}

/** A character may come in two pieces; what is no UTF-8 is shown as such, and so is NUL, at which others would stop reading. */
async function readAll(output: Readable, pace: Pace, onText: (text: string) => Promise<void> | void): Promise<void> {
  const decoder = new StringDecoder("utf8");
  const tell = async (text: string): Promise<void> => {
    if (text !== "") await onText(text.replaceAll("\0", "\uFFFD"));
  };
  try {
    for await (const piece of output) {
      await tell(decoder.write(piece as Buffer));
      await pace.took((piece as Buffer).length);
    }
  } catch (error) {
    // It was closed: nobody wants to know more.
    if ((error as NodeJS.ErrnoException).code !== "ERR_STREAM_PREMATURE_CLOSE") throw error;
  }
  await tell(decoder.end());
}
