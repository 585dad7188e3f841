import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { limitHint, limitProblem } from "./field-limits.ts";

/** One thing that a form asks for. */
export interface FormField {
  readonly name: string;
  readonly label: string;
  readonly hint: string;
  readonly isRequired: boolean;
  /** What to choose from; absent = anything of its type. */
  readonly choices?: readonly { readonly value: JsonValue; readonly label: string }[];
  /** As it is typed; empty = none. */
  readonly initial: string;
  /** What a text means; what is wrong with it where `error` is there. */
  read(text: string): { readonly value: JsonValue } | { readonly error: string };
}

/** The fields of a JSON Schema, in its order; undefined where it has none that could be asked one by one. */
export function fieldsOf(form: JsonObject): readonly FormField[] | undefined {
  const { properties, required } = form;
  if (!isObject(properties) || Object.keys(properties).length === 0) return undefined;
  const needed = new Set(Array.isArray(required) ? required : []);
  return Object.entries(properties).map(([name, schema]) =>
    fieldOf(name, isObject(schema) ? schema : {}, needed.has(name)),
  );
}

function fieldOf(name: string, schema: JsonObject, isRequired: boolean): FormField {
  const { title, description, type, default: initial } = schema;
  const choices = choicesOf(schema);
  return {
    name,
    label: typeof title === "string" ? title : name,
    hint: [typeof description === "string" ? description : "", limitHint(schema)].filter(Boolean).join(" · "),
    isRequired,
    ...(choices !== undefined && { choices }),
    initial: initial === undefined ? "" : typeof initial === "string" ? initial : JSON.stringify(initial),
    read(text) {
      const read = readValue(text, type);
      const problem = "error" in read ? undefined : limitProblem(schema, read.value);
      return problem === undefined ? read : { error: problem };
    },
  };
}

function choicesOf({ enum: values, oneOf, type }: JsonObject): FormField["choices"] {
  if (Array.isArray(values)) return values.map((value) => ({ value, label: labelOf(value) }));
  if (type === "boolean") return [true, false].map((value) => ({ value, label: value ? "yes" : "no" }));
  if (!Array.isArray(oneOf)) return undefined;
  const known = oneOf.filter(isObject).filter((one) => one["const"] !== undefined);
  if (known.length === 0) return undefined;
  return known.map(({ const: value = null, title }) => ({
    value,
    label: typeof title === "string" ? title : labelOf(value),
  }));
}

/** As a value of its type. */
function readValue(text: string, type: JsonValue | undefined): ReturnType<FormField["read"]> {
  if (type === "string" || type === undefined) return { value: text };
  if (type === "number" || type === "integer") {
    const value = Number(text.trim());
    if (text.trim() === "" || !Number.isFinite(value)) return { error: "give a number" };
    return type === "integer" && !Number.isInteger(value) ? { error: "give a whole number" } : { value };
  }
  try {
    return { value: JSON.parse(text) as JsonValue };
  } catch (error) {
    return { error: `give it as JSON: ${(error as Error).message}` };
  }
}

function labelOf(value: JsonValue): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
