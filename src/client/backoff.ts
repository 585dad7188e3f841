/** The first wait: an engine that is started anew takes about this long. */
const FIRST_MS = 100;
const MAX_MS = 5_000;

/**
 * How long to wait before the next try, in milliseconds: doubles up to 5 s, and half of it is by chance, so that a thousand
 * clients of one engine do not come back at once.
 */
export function backoff(failures: number, random: () => number): number {
  const full = Math.min(MAX_MS, FIRST_MS * 2 ** Math.min(failures, 16));
  return full / 2 + (full / 2) * random();
}
