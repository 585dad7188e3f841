import { createReadStream, existsSync, statSync } from "node:fs";
import { StringDecoder } from "node:string_decoder";
import { delay, systemClock } from "../clock.ts";
import { readDataDir } from "../config.ts";
import { DomainError } from "../errors.ts";
import type { Context } from "./context.ts";
import { engineLogFile, findTail } from "./engine-log.ts";
import { EXIT, type ExitCode } from "./exit-code.ts";
import { onInterrupt } from "./interrupt.ts";
import { logLine } from "./view/log-line.ts";

const POLL_MS = 200;

export interface LogsOptions {
  readonly follow?: boolean;
  readonly lines?: number;
}

/** Prints what an engine in the background has written: as it is into pipes, readable on a terminal. */
export async function logs(context: Context, { follow = false, lines = 100 }: LogsOptions): Promise<ExitCode> {
  const { env, globals } = context;
  const dataDir = readDataDir(env, globals.dataDir);
  const file = engineLogFile(dataDir);
  if (!existsSync(file)) {
    throw new DomainError(
      "not_found",
      "LOG_NOT_FOUND",
      `there is no ${file}; an engine started with \`parley up\` writes one, \`parley serve\` logs to stderr`,
    );
  }
  const { start, end } = await findTail(file, lines);
  const printer = createPrinter(context);
  await printer.print(file, start, end);
  if (!follow) {
    printer.end();
    return EXIT.ok;
  }
  const controller = new AbortController();
  const off = onInterrupt(() => controller.abort());
  try {
    await followLog(printer, file, end, controller.signal);
    return EXIT.interrupted;
  } finally {
    off();
  }
}

/** Until Ctrl-C; goes over to the next file when an engine begins one. */
async function followLog(printer: Printer, file: string, from: number, signal: AbortSignal): Promise<void> {
  let at = from;
  let inode = statSync(file).ino;
  while (!signal.aborted) {
    const now = statSync(file, { throwIfNoEntry: false });
    if (now !== undefined && (now.ino !== inode || now.size < at)) {
      inode = now.ino;
      at = 0;
    }
    if (now !== undefined && now.size > at) {
      await printer.print(file, at, now.size);
      at = now.size;
    } else {
      await delay(systemClock, POLL_MS, signal).catch(() => undefined);
    }
  }
}

interface Printer {
  print(file: string, start: number, end: number): Promise<void>;
  /** Prints what is left of a line that was cut off. */
  end(): void;
}

/** Pipes get the bytes as they are; a terminal gets lines, each when it is whole. */
function createPrinter({ out, json }: Context): Printer {
  const isPretty = out.isTerminal && !json;
  const decoder = new StringDecoder("utf8");
  let kept = "";
  return {
    async print(file, start, end) {
      if (end <= start) return;
      for await (const chunk of createReadStream(file, { start, end: end - 1 })) {
        const text = decoder.write(chunk as Buffer);
        if (!isPretty) {
          out.write(text);
          continue;
        }
        const lines = (kept + text).split("\n");
        kept = lines.pop() ?? "";
        for (const line of lines) out.write(`${logLine(line, out.style)}\n`);
      }
    },
    end() {
      if (kept !== "") out.write(`${logLine(kept, out.style)}\n`);
    },
  };
}
