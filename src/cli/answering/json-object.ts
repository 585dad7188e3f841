import type { JsonObject } from "@bufbuild/protobuf";

/** A JSON object; or, as a text, what is wrong with it. */
export function readJsonObject(text: string): JsonObject | string {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject;
    return 'this is no JSON object; write it like {"path": "README.md"}';
  } catch (error) {
    return `this is no JSON: ${(error as Error).message}`;
  }
}
