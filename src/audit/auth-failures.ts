import type { Clock } from "../clock.ts";
import type { AuditLog } from "./audit-log.ts";

/** Somebody who was not let in. */
export interface AuthFailure {
  /** The constant that the caller was told. */
  readonly reason: string;
  /** What was called. */
  readonly method: string;
  /** The caller's address; empty = a socket in the file system. */
  readonly source: string;
  /** The token's name, where it was one of ours and not enough. */
  readonly actor: string;
}

/**
 * Writes down who was not let in. A guesser must not fill the log: of each source the first few of a minute are written down, of
 * the others how many there were.
 */
export interface AuthFailures {
  note(failure: AuthFailure): void;
  /** Writes down what was counted. */
  close(): Promise<void>;
}

const WINDOW_MS = 60_000;
const MAX_PER_SOURCE = 5;

/** More sources in one minute are counted as one. */
const MAX_SOURCES = 20;
const OTHERS = "others";

interface Counted {
  count: number;
  last: AuthFailure;
}

export function createAuthFailures(
  audit: Pick<AuditLog, "add">,
  clock: Clock,
  onBug: (what: string, error: unknown) => void,
): AuthFailures {
  let sources = new Map<string, Counted>();
  let cancelTimer: (() => void) | undefined;
  let written = Promise.resolve();

  function write({ reason, method, source, actor }: AuthFailure, count: number): void {
    const detail = { reason, method, ...(count > 1 && { count }) };
    // One after the other: a store that refuses is told of once and again, not a thousand times at once.
    written = written
      .then(() => audit.add({ action: "AUTH_FAILED", actor, target: source === "" ? "unix" : source, detail }))
      .catch((error: unknown) => onBug("an entry of the audit log", error));
  }

  function endWindow(): void {
    cancelTimer?.();
    for (const [source, { count, last }] of sources) {
      const more = source === OTHERS ? count : count - MAX_PER_SOURCE;
      if (more > 0) write({ ...last, source }, more);
    }
    sources = new Map();
  }

  return {
    note(failure) {
      if (sources.size === 0) cancelTimer = clock.after(WINDOW_MS, endWindow);
      const isKnown = sources.has(failure.source) || sources.size < MAX_SOURCES;
      const source = isKnown ? failure.source : OTHERS;
      const counted = sources.get(source) ?? { count: 0, last: failure };
      sources.set(source, { count: counted.count + 1, last: failure });
      if (isKnown && counted.count < MAX_PER_SOURCE) write(failure, 1);
    },
    async close() {
      endWindow();
      await written;
    },
  };
}
