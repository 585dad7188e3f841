import type { IncomingHttpHeaders } from "node:http";

/**
 * How long an answer asks to wait, in milliseconds; undefined where it says nothing that can be understood.
 * `retry-after-ms` is OpenAI's and Azure's finer form; `retry-after` is seconds or a date (RFC 9110, section 10.2.3).
 */
export function parseRetryAfter(headers: IncomingHttpHeaders, nowMs: number): number | undefined {
  const millis = toNumber(headers["retry-after-ms"]);
  if (millis !== undefined) return millis;
  const text = headers["retry-after"];
  const seconds = toNumber(text);
  if (seconds !== undefined) return seconds * 1000;
  const date = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs);
}

/** Not Number(): that takes an empty header for 0 and "0x10" for 16. */
function toNumber(text: string | string[] | undefined): number | undefined {
  return typeof text === "string" && /^\s*\d+(\.\d+)?\s*$/.test(text) ? Number.parseFloat(text) : undefined;
}
