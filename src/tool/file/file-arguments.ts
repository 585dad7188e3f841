import type { JsonObject } from "../../message/message.ts";

/** Reads a tool's arguments; what is wrong is told to the model. Undefined and null are an argument that is left out. */
export function readText(args: JsonObject, name: string): string {
  const text = findText(args, name);
  if (text === undefined) throw new Error(`${name} is missing; give a string`);
  return text;
}

export function findText(args: JsonObject, name: string): string | undefined {
  const value = args[name] ?? undefined;
  if (value === undefined || typeof value === "string") return value;
  throw new Error(`${name} must be a string`);
}

export function findFlag(args: JsonObject, name: string): boolean {
  const value = args[name] ?? false;
  if (typeof value === "boolean") return value;
  throw new Error(`${name} must be true or false`);
}

/** A whole number of at least 1. What is larger than `max` is `max`. */
export function findCount(args: JsonObject, name: string, max: number): number | undefined {
  const value = args[name] ?? undefined;
  if (value === undefined) return undefined;
  if (typeof value !== "number" || !Number.isInteger(value) || value < 1) {
    throw new Error(`${name} must be a whole number from 1`);
  }
  return Math.min(value, max);
}

/** Models sometimes invent arguments; ignoring one would do something else than they meant. */
export function checkNames(args: JsonObject, known: object): void {
  const unknown = Object.keys(args).find((name) => !Object.hasOwn(known, name));
  if (unknown === undefined) return;
  throw new Error(
    `there is no argument ${JSON.stringify(unknown.slice(0, 100))}; there are ${Object.keys(known).join(", ")}`,
  );
}
