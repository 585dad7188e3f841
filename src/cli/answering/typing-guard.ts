import type { Clock } from "../../clock.ts";
import type { Key } from "../terminal/line-editor.ts";

/** Nobody has read anything sooner: a key that comes before was meant for something else. */
const SETTLE_MS = 300;
/** Who types has not looked up yet. */
const QUIET_MS = 300;
/** A key that is held down, or pressed twice, comes again within. */
const REPEAT_MS = 500;

/**
 * Tells keys that answer from keys that were on their way when something was asked: a human who types does not see what appears,
 * and a second press is no answer to what came up after the first.
 */
export interface TypingGuard {
  /** Something was drawn that had not been asked before. */
  asks(): void;
  /** A key answered; the same one again is no answer to anything. */
  answered(key: Key): void;
  /** Whether a key may be an answer. It has to be asked for each key, in order. */
  take(key: Key): "answer" | "typed" | "repeated";
  /** How long until keys may be answers, in milliseconds; 0 = they may. */
  readonly msUntilReady: number;
}

export function createTypingGuard(clock: Pick<Clock, "monotonic">): TypingGuard {
  let askedAt = Number.NEGATIVE_INFINITY;
  let typedAt = Number.NEGATIVE_INFINITY;
  let last: { readonly sequence: string | undefined; at: number } | undefined;
  // Who has begun to answer goes on as fast as they like.
  let isEngaged = false;

  function msUntilReady(): number {
    if (isEngaged) return 0;
    return Math.max(0, Math.max(askedAt + SETTLE_MS, typedAt + QUIET_MS) - clock.monotonic());
  }

  return {
    asks() {
      askedAt = clock.monotonic();
      isEngaged = false;
    },
    answered({ sequence }) {
      last = { sequence, at: clock.monotonic() };
      isEngaged = false;
    },
    take({ sequence }) {
      const now = clock.monotonic();
      if (last !== undefined && sequence === last.sequence && now - last.at < REPEAT_MS) {
        last.at = now;
        return "repeated";
      }
      if (msUntilReady() > 0) {
        typedAt = now;
        return "typed";
      }
      isEngaged = true;
      return "answer";
    },
    get msUntilReady() {
      return msUntilReady();
    },
  };
}
