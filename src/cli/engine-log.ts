import { chmodSync, existsSync, openSync, renameSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";

/** Above this a new engine begins a new file; three old ones are kept. */
const MAX_LOG_BYTES = 10 * 1024 * 1024;
const KEPT_LOGS = 3;

const PIECE_BYTES = 64 * 1024;

/** Where an engine in the background writes what it has to say. */
export function engineLogFile(dataDir: string): string {
  return join(dataDir, "engine.log");
}

/** Opens the log to be written at its end; a large one is put aside first. Returns a descriptor. */
export function openEngineLog(dataDir: string, maxBytes = MAX_LOG_BYTES): number {
  const file = engineLogFile(dataDir);
  if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) > maxBytes) {
    for (let number = KEPT_LOGS; number >= 1; number--) {
      const older = number === 1 ? file : `${file}.${number - 1}`;
      if (existsSync(older)) renameSync(older, `${file}.${number}`);
    }
  }
  const descriptor = openSync(file, "a", 0o600);
  chmodSync(file, 0o600);
  return descriptor;
}

/** Where the last `lines` lines of a file begin, and where it ends. */
export async function findTail(file: string, lines: number): Promise<{ readonly start: number; readonly end: number }> {
  const handle = await open(file, "r");
  try {
    const end = (await handle.stat()).size;
    const piece = Buffer.alloc(PIECE_BYTES);
    // The line feed at the end of the last line begins no other.
    let left = lines;
    for (let at = end - 1; at > 0;) {
      const from = Math.max(0, at - PIECE_BYTES);
      const { bytesRead } = await handle.read(piece, 0, at - from, from);
      for (let i = bytesRead - 1; i >= 0; i--) {
        if (piece[i] === 10 && --left === 0) return { start: from + i + 1, end };
      }
      at = from;
    }
    return { start: lines === 0 ? end : 0, end };
  } finally {
    await handle.close();
  }
}
