import { writeSync } from "node:fs";

/** A reader that does not read gets so much time for a line; the engine does not wait for it longer. */
const MAX_TRIES = 20;
const PAUSE_MS = 1;

/** Where log lines go; what `pino` wants of it. */
export interface LogOutput {
  write(line: string): void;
}

/**
 * Writes each line at once. A line that cannot be written, as on a full disk or into a closed pipe, is dropped: an engine
 * must neither end nor hang for want of a place for its log, and there is nowhere to tell of it.
 */
export function createLogOutput(descriptor: number, write: typeof writeSync = writeSync): LogOutput {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  return {
    write(line) {
      const bytes = Buffer.from(line);
      let tries = 0;
      for (let at = 0; at < bytes.length && tries < MAX_TRIES;) {
        try {
          at += write(descriptor, bytes, at);
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== "EAGAIN") return;
          tries++;
          Atomics.wait(pause, 0, 0, PAUSE_MS);
        }
      }
    },
  };
}
