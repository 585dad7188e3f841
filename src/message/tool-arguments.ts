import type { JsonObject } from "./message.ts";

/**
 * Levels of objects and lists in a call's arguments. Each is up to three messages deep in an event, and readers of protobuf
 * stop at 100: one call that is deeper would make its whole log unreadable.
 */
const MAX_LEVELS = 30;

/** Whether a value is an object that `google.protobuf.Struct` can hold: neither too deep, nor with a number like 1e999, which no JSON can tell again. */
export function isToolArguments(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) && isShowable(value, MAX_LEVELS);
}

function isShowable(value: unknown, levels: number): boolean {
  if (typeof value === "number") return Number.isFinite(value);
  if (typeof value !== "object" || value === null) return true;
  return levels > 0 && Object.values(value).every((inner) => isShowable(inner, levels - 1));
}
