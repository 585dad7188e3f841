import { DomainError } from "../errors.ts";
import type { JsonObject, JsonValue } from "../message/message.ts";
import { runWithin, TookTooLong } from "./run-within.ts";

const MAX_DEPTH = 32;
/** A schema can be small and cost for ever, as a pattern can: then it is none. */
const MAX_MS = 1000;

/** Whether this is a JSON Schema of a form. Throws DomainError `INVALID_FORM`. */
export async function checkForm(schema: JsonObject): Promise<void> {
  const problem = findSchemaProblem(schema) ?? (await findCompileProblem(schema));
  if (problem !== undefined) throw new DomainError("invalid", "INVALID_FORM", `form: ${problem}`, { field: "form" });
}

/** What is wrong with a filled-in form, each field by its path; undefined = nothing. */
export async function findFormProblem(schema: JsonObject, filled: JsonObject): Promise<string | undefined> {
  const ajv = await loadAjv(schema);
  return orTooLong(() => {
    const validate = ajv.compile(schema);
    if (validate(filled)) return undefined;
    return `form does not fit: ${ajv.errorsText(validate.errors, { dataVar: "form", separator: "; " }).slice(0, 2000)}`;
  });
}

/** What can be seen without understanding it. */
function findSchemaProblem(schema: JsonObject): string | undefined {
  const { type } = schema;
  if (type !== undefined && type !== "object")
    return 'its type must be "object": what is filled in has names and values';
  return findNestedProblem(schema, 0);
}

function findNestedProblem(value: JsonValue, depth: number): string | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  if (depth > MAX_DEPTH) return `must be nested at most ${MAX_DEPTH} deep`;
  for (const [name, inner] of Object.entries(value)) {
    const isRef = /^\$(?:dynamic|recursive)?ref$/i.test(name);
    if (isRef && typeof inner === "string" && !inner.startsWith("#"))
      return `${name} must begin with #: nothing is fetched`;
    const problem = findNestedProblem(inner, depth + 1);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

async function findCompileProblem(schema: JsonObject): Promise<string | undefined> {
  const ajv = await loadAjv(schema);
  return orTooLong(() => {
    try {
      ajv.compile(schema);
      return undefined;
    } catch (error) {
      // Cut off from outside, which is not for us to understand.
      if (!(error instanceof Error)) throw error;
      return `is no JSON Schema: ${error.message.slice(0, 2000)}`;
    }
  });
}

function orTooLong(check: () => string | undefined): string | undefined {
  try {
    return runWithin(MAX_MS, check);
  } catch (error) {
    if (error instanceof TookTooLong) return `takes more than ${MAX_MS} ms to check; make it simpler`;
    throw error;
  }
}

/** A new one for each schema: nothing of one is known to another. Loaded with its first use. */
async function loadAjv(schema: JsonObject) {
  const { $schema: dialect = "" } = schema;
  const isDraft7 = typeof dialect === "string" && dialect.includes("draft-07");
  // By their default exports: the others of CommonJS modules are not there in the bundle.
  const Ajv = isDraft7 ? (await import("ajv")).default.Ajv : (await import("ajv/dist/2020.js")).default.Ajv2020;
  const { default: formats } = await import("ajv-formats");
  // Words that it does not know are for who shows the form. Without a logger: they are no news for the engine's.
  const ajv = new Ajv({ strict: false, allErrors: false, logger: false });
  formats.default(ajv);
  // Compiles what schemas themselves are held to, which takes longer than most of them and is no fault of theirs.
  await ajv.validateSchema({});
  return ajv;
}
