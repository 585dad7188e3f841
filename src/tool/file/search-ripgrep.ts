import { spawn, type StdioOptions } from "node:child_process";
import { createInterface } from "node:readline";
import type { ReaderWrap } from "../sandbox/sandbox.ts";
import type { Line, Search, SearchRequest } from "./search.ts";

/** The first descriptor that a child gets besides the standard ones. */
const FIRST_DESCRIPTOR = 3;

/** As it is, with nothing of the engine's environment, which holds keys. */
export const unwrapped: ReaderWrap = async (argv) => ({ argv, env: {}, cleanup: () => undefined });

/**
 * Searches with ripgrep, which gets open files and no paths: it can read nothing else. `wrap` puts it into a sandbox besides.
 * Throws with a message for the model.
 */
export async function createRipgrepSearch(
  program: string,
  { pattern, ignoreCase }: SearchRequest,
  wrap: ReaderWrap,
): Promise<Search> {
  const options = [
    "--no-config",
    "--json",
    "--no-messages",
    "--max-filesize",
    "16M",
    ignoreCase ? "--ignore-case" : "--case-sensitive",
  ];
  return async (files, max, signal) => {
    const paths = files.map((_, index) => `/proc/self/fd/${index + FIRST_DESCRIPTOR}`);
    const wrapped = await wrap([program, ...options, "--threads", "1", "--regexp", pattern, "--", ...paths]);
    const [file, ...args] = wrapped.argv;
    const stdio: StdioOptions = ["ignore", "pipe", "pipe", ...files.map(({ handle }) => handle.fd)];
    const child = spawn(file, args, { stdio, env: wrapped.env, cwd: "/" });
    const ended = new Promise<number | null>((resolve, reject) => child.once("error", reject).once("close", resolve));
    const stop = (): boolean => child.kill("SIGKILL");
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    try {
      const [stdout, stderr] = [child.stdout, child.stderr];
      if (stdout === null || stderr === null) throw new Error("the search has no output");
      let complaint = "";
      stderr.setEncoding("utf8").on("data", (piece: string) => (complaint = (complaint + piece).slice(0, 1000)));
      const lines: Line[] = [];
      for await (const line of createInterface({ input: stdout })) {
        const match = readMatch(line, files);
        if (match !== undefined) lines.push(match);
        if (lines.length < max) continue;
        stop();
        break;
      }
      const status = await ended;
      signal.throwIfAborted();
      // 2 is also what it ends with where one of the files could not be read.
      if (status === 2 && lines.length === 0 && complaint !== "")
        throw new Error(`the pattern is no regular expression: ${complaint.trim()}`);
      return lines;
    } finally {
      signal.removeEventListener("abort", stop);
      stop();
      await wrapped.cleanup();
    }
  };
}

interface Message {
  readonly type: string;
  readonly data: {
    readonly path?: { readonly text?: string };
    readonly lines?: { readonly text?: string };
    readonly line_number?: number;
  };
}

/** Undefined for what is no match, or no text. */
function readMatch(line: string, files: readonly { readonly path: string }[]): Line | undefined {
  const { type, data } = JSON.parse(line) as Message;
  const number = /^\/proc\/self\/fd\/(\d+)$/.exec(data.path?.text ?? "")?.[1];
  const path = files[Number(number) - FIRST_DESCRIPTOR]?.path;
  if (
    type !== "match" ||
    path === undefined ||
    data.lines?.text === undefined ||
    data.lines.text.includes("\0") ||
    data.line_number === undefined
  )
    return undefined;
  return { path, number: data.line_number, text: data.lines.text.replace(/\r?\n$/, "") };
}
