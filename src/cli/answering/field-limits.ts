import { runInNewContext } from "node:vm";
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";

/** A pattern comes from whoever asks, and one that never ends must not hold up the human. */
const MAX_PATTERN_MS = 100;

type Check = (limit: number, value: JsonValue) => string | undefined;

const number =
  (isFine: (value: number, limit: number) => boolean, words: (limit: number) => string): Check =>
  (limit, value) =>
    typeof value === "number" && !isFine(value, limit) ? words(limit) : undefined;

const length =
  (isFine: (length: number, limit: number) => boolean, words: (limit: number) => string): Check =>
  (limit, value) =>
    typeof value === "string" && !isFine(Array.from(value).length, limit) ? words(limit) : undefined;

/** What a number of a JSON Schema asks of a value, in words where the value is not so. */
const CHECKS: Readonly<Record<string, Check>> = {
  minimum: number(
    (value, limit) => value >= limit,
    (limit) => `give ${limit} or more`,
  ),
  maximum: number(
    (value, limit) => value <= limit,
    (limit) => `give ${limit} or less`,
  ),
  exclusiveMinimum: number(
    (value, limit) => value > limit,
    (limit) => `give more than ${limit}`,
  ),
  exclusiveMaximum: number(
    (value, limit) => value < limit,
    (limit) => `give less than ${limit}`,
  ),
  multipleOf: number(
    (value, limit) => limit <= 0 || Number.isInteger(value / limit),
    (limit) => `give a multiple of ${limit}`,
  ),
  minLength: length(
    (chars, limit) => chars >= limit,
    (limit) => `give at least ${characters(limit)}`,
  ),
  maxLength: length(
    (chars, limit) => chars <= limit,
    (limit) => `give at most ${characters(limit)}`,
  ),
};

function characters(count: number): string {
  return `${count} character${count === 1 ? "" : "s"}`;
}

/**
 * What is wrong with one field's value, in words; undefined = nothing that can be told here. The engine checks the whole form
 * with everything that its schema says.
 */
export function limitProblem(schema: JsonObject, value: JsonValue): string | undefined {
  for (const [name, check] of Object.entries(CHECKS)) {
    const limit = schema[name];
    const problem = typeof limit === "number" ? check(limit, value) : undefined;
    if (problem !== undefined) return problem;
  }
  const { pattern } = schema;
  if (typeof pattern !== "string" || typeof value !== "string" || matches(pattern, value)) return undefined;
  return `it has to match ${pattern}`;
}

/** True also where that cannot be told: then it is for the engine to say. */
function matches(pattern: string, value: string): boolean {
  try {
    const work = "new RegExp(pattern, 'u').test(value)";
    return runInNewContext(work, { pattern, value }, { timeout: MAX_PATTERN_MS }) === true;
  } catch {
    return true;
  }
}

/** What a field takes, in a few words that stand beside its name; empty = anything of its type. */
export function limitHint({ minimum, maximum, minLength, maxLength, pattern }: JsonObject): string {
  const range = rangeOf(minimum, maximum);
  const chars = rangeOf(minLength, maxLength);
  return [range, chars === "" ? "" : `${chars} characters`, typeof pattern === "string" ? `like ${pattern}` : ""]
    .filter(Boolean)
    .join(" · ");
}

function rangeOf(least: JsonValue | undefined, most: JsonValue | undefined): string {
  if (typeof least === "number" && typeof most === "number") return `${least} to ${most}`;
  if (typeof least === "number") return `at least ${least}`;
  return typeof most === "number" ? `at most ${most}` : "";
}
