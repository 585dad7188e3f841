import { spawn } from "node:child_process";

/** What a program did. */
export interface Ran {
  readonly status: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: Uint8Array | string;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Told of everything written so far; once it says true the program is stopped. */
  readonly isEnough?: (stdout: Buffer) => boolean;
}

/** Runs a program to its end, or until it has said enough. */
export function run(file: string, args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, ...options.env };
    // A group of its own: some programs are only a wrapper that starts another.
    const child = spawn(file, args, { cwd: options.cwd, env, stdio: ["pipe", "pipe", "pipe"], detached: true });
    const stop = (): void => {
      if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) process.kill(-child.pid);
    };
    process.once("exit", stop);
    let stdout = Buffer.alloc(0);
    let stderr = "";
    child.stdout.on("data", (chunk: Buffer) => {
      stdout = Buffer.concat([stdout, chunk]);
      if (options.isEnough?.(stdout) === true) stop();
    });
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => (stderr += chunk));
    child.once("error", reject);
    child.once("close", (status) => {
      process.off("exit", stop);
      resolve({ status, stdout, stderr });
    });
    // A program that ends before it has read everything says so itself.
    child.stdin.on("error", () => undefined);
    child.stdin.end(options.input);
  });
}

/** As `run`, and the program must succeed. */
export async function succeed(file: string, args: readonly string[], options?: RunOptions): Promise<string> {
  const { status, stdout, stderr } = await run(file, args, options);
  if (status !== 0) throw new Error(`${file} ended with ${status}: ${stderr}${stdout.toString()}`);
  return stdout.toString();
}

/** The whole JSON objects in a text that holds one after the other, as clients print the messages of a stream. */
export function jsonObjects(text: string): Json[] {
  const objects: Json[] = [];
  let depth = 0;
  let start = 0;
  let isString = false;
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (isString) {
      if (char === "\\") i++;
      else if (char === '"') isString = false;
    } else if (char === '"') isString = true;
    else if (char === "{" && depth++ === 0) start = i;
    else if (char === "}" && --depth === 0) objects.push(JSON.parse(text.slice(start, i + 1)) as Json);
  }
  return objects;
}

export type Json = { readonly [name: string]: unknown };

/** A message of SendMessage or WatchSession in JSON. */
export interface StreamMessage {
  readonly event?: {
    readonly seq: string;
    readonly turnId?: string;
    readonly turnStarted?: object;
    readonly turnEnded?: { readonly reason: string };
    readonly textDelta?: { readonly messageId: string; readonly text: string };
    readonly messageCompleted?: {
      readonly message: { readonly role: string; readonly parts: readonly { readonly text?: string }[] };
    };
  };
  readonly checkpoint?: { readonly lastSeq?: string; readonly caughtUp?: boolean; readonly logEpoch?: string };
}

/** What a client saw of a session. */
export interface Seen {
  /** All deltas, joined. */
  readonly streamed: string;
  /** The whole messages of the model, as the log holds them. */
  readonly completed: string;
  readonly endReasons: readonly string[];
  readonly seqs: readonly number[];
  readonly beginsWithCheckpoint: boolean;
}

export function summarize(messages: readonly StreamMessage[]): Seen {
  const events = messages.flatMap(({ event }) => event ?? []);
  const answers = events
    .flatMap(({ messageCompleted }) => messageCompleted?.message ?? [])
    .filter(({ role }) => role === "ROLE_ASSISTANT");
  return {
    streamed: events.map(({ textDelta }) => textDelta?.text ?? "").join(""),
    completed: answers.flatMap(({ parts }) => parts.map((part) => part.text ?? "")).join(""),
    endReasons: events.flatMap(({ turnEnded }) => turnEnded?.reason ?? []),
    seqs: events.map(({ seq }) => Number(seq)),
    beginsWithCheckpoint: messages[0]?.checkpoint !== undefined,
  };
}

export function isCaughtUp(messages: readonly StreamMessage[]): boolean {
  return messages.some(({ checkpoint }) => checkpoint?.caughtUp === true);
}
