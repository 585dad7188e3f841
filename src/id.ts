import { randomBytes } from "node:crypto";

/** What an id names; clients see it and never parse it. */
export type IdPrefix = "ses" | "turn" | "msg" | "call" | "queued" | "tok" | "req" | "rule" | "chg" | "rev";

/** Makes ids; passed in where a test wants to know them. */
export type NewId = (prefix: IdPrefix) => string;

/** Crockford's base 32: no letters that are mistaken for digits. */
const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";

/** 9 characters hold milliseconds until the year 3084, so that rows made one after the other lie side by side in an index. */
const TIME_CHARS = 9;
/** 80 random bits: two ids of one millisecond are never the same. */
const RANDOM_CHARS = 16;

/** Taken from the system in pieces: a call for each id costs more than everything else about it. */
let pool = Buffer.alloc(0);
let used = 0;

function takeRandom(): Buffer {
  if (used + RANDOM_CHARS > pool.length) {
    pool = randomBytes(4096);
    used = 0;
  }
  used += RANDOM_CHARS;
  return pool.subarray(used - RANDOM_CHARS, used);
}

export const newId: NewId = (prefix) => {
  let time = "";
  let rest = Date.now();
  for (let i = 0; i < TIME_CHARS; i++) {
    time = (ALPHABET[rest % 32] ?? "") + time;
    rest = Math.floor(rest / 32);
  }
  let random = "";
  for (const byte of takeRandom()) random += ALPHABET[byte % 32] ?? "";
  return `${prefix}_${time}${random}`;
};
