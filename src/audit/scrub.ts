/** Takes secrets out of a text. */
export type Scrub = (text: string) => string;

/** A shorter one would be found in every other word. */
const MIN_CHARS = 8;

/** What opens an engine of this kind: see `token/token.ts`. */
const TOKEN_SHAPE = /\bparley_[A-Za-z0-9_-]{43}/g;

/**
 * Takes out these secrets, as they are, as JSON writes them and as JSON in JSON does (arguments of a call in a detail), and
 * whatever looks like a token of an engine.
 */
export function createScrub(secrets: readonly string[]): Scrub {
  const forms = secrets
    .filter((secret) => secret.length >= MIN_CHARS)
    .flatMap((secret) => [secret, inJson(secret), inJson(inJson(secret))]);
  // The longest first: one may be the beginning of another.
  const known = [...new Set(forms)].sort((a, b) => b.length - a.length);
  return (text) =>
    known
      .reduce((scrubbed, secret) => scrubbed.replaceAll(secret, "[redacted]"), text)
      .replaceAll(TOKEN_SHAPE, "[redacted]");
}

function inJson(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}
