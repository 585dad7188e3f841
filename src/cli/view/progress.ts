import type { Context } from "../context.ts";
import { formatBytes } from "./format.ts";

/** How much has gone over the wire, for a human who waits. */
export interface Progress {
  readonly add: (bytes: number) => void;
  readonly bytes: () => bigint;
  end(): void;
}

const EVERY_MS = 200;

/** On a terminal alone, and never between the lines of something else that is written to one. */
export function createProgress({ err }: Context, isQuiet = false): Progress {
  let bytes = 0n;
  let shownAt = performance.now();
  let isShown = false;
  return {
    bytes: () => bytes,
    add(count) {
      bytes += BigInt(count);
      if (!err.isTerminal || isQuiet || performance.now() - shownAt < EVERY_MS) return;
      shownAt = performance.now();
      isShown = true;
      err.write(`\r\u001B[K${err.style.dim(formatBytes(bytes))}`);
    },
    end() {
      if (isShown) err.write("\r\u001B[K");
      isShown = false;
    },
  };
}
