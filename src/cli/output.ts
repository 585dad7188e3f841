import type { Environment } from "../config.ts";
import { createStyle, type Style } from "./terminal/style.ts";
import { visible, visibleLine } from "./terminal/visible.ts";

/** One of the streams that a command writes to. */
export interface Output {
  readonly isTerminal: boolean;
  readonly style: Style;
  /** As it is. */
  write(text: string): void;
  /** Makes text of others safe to be shown where this is a terminal; pipes get it as it is. */
  foreign(text: string): string;
  /** The same, on one line. */
  foreignLine(text: string): string;
  readonly columns: number;
}

export interface OutputOptions {
  /** False: `--no-color`. */
  readonly color: boolean;
  readonly env: Environment;
}

export function createOutput(stream: NodeJS.WriteStream, { color, env }: OutputOptions): Output {
  const isTerminal = stream.isTTY ?? false;
  const hasColor = color && isTerminal && !env["NO_COLOR"] && env["TERM"] !== "dumb";
  return {
    isTerminal,
    style: createStyle(hasColor),
    write: (text) => void stream.write(text),
    foreign: isTerminal ? visible : (text) => text,
    foreignLine: isTerminal ? visibleLine : (text) => text.replace(/\s*[\r\n]+\s*/g, " "),
    get columns() {
      return stream.columns ?? 80;
    },
  };
}

/** Whoever reads us may stop at any time (`| head`): that is no failure. */
export function exitOnClosedPipe(stream: NodeJS.WriteStream, exit: (code: number) => void): void {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE" || error.code === "EIO") exit(0);
    else throw error;
  });
}
