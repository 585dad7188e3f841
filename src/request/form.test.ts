import { expect, test } from "vitest";
import type { JsonObject } from "../message/message.ts";
import { checkForm, findFormProblem } from "./form.ts";
import { runWithin, TookTooLong } from "./run-within.ts";

function nested(depth: number): JsonObject {
  return depth === 0 ? {} : { properties: { a: nested(depth - 1) } };
}

test.each<[what: string, schema: JsonObject]>([
  ["an empty one", {}],
  ["2020-12", { type: "object", properties: { a: { type: "string", format: "email" } }, required: ["a"] }],
  ["draft-07", { $schema: "http://json-schema.org/draft-07/schema#", properties: { a: { enum: [1, 2] } } }],
  ["one that refers to itself", { properties: { child: { $ref: "#" } } }],
  ["one with words for who shows it", { properties: { a: { type: "string", "ui:widget": "textarea" } } }],
  ["a field that is called $ref", { properties: { $ref: { type: "string" } } }],
])("%s is a form", async (_what, schema) => {
  await expect(checkForm(schema)).resolves.toBeUndefined();
});

test.each<[what: string, schema: JsonObject, said: string]>([
  ["no object", { type: "string" }, "its type must be"],
  ["no JSON Schema", { properties: { a: { type: "strin" } } }, "is no JSON Schema"],
  ["properties that are none", { properties: 7 }, "is no JSON Schema"],
  ["a pattern that is none", { properties: { a: { pattern: "(" } } }, "is no JSON Schema"],
  ["another document", { properties: { a: { $ref: "http://169.254.169.254/latest" } } }, "nothing is fetched"],
  ["a file", { allOf: [{ $ref: "file:///etc/passwd" }] }, "nothing is fetched"],
  ["another document, dynamically", { $dynamicRef: "other.json#x" }, "nothing is fetched"],
  ["nothing there", { properties: { a: { $ref: "#/$defs/none" } } }, "is no JSON Schema"],
  ["an unknown dialect", { $schema: "http://example.com/mine" }, "is no JSON Schema"],
  ["too much depth", nested(20), "nested at most 32 deep"],
])("a form of %s is refused", async (_what, schema, said) => {
  await expect(checkForm(schema)).rejects.toMatchObject({
    reason: "INVALID_FORM",
    message: expect.stringContaining(said) as string,
  });
});

test("what is filled in is told by the field that does not fit", async () => {
  const schema = {
    properties: { mail: { type: "string", format: "email" }, age: { type: "integer" } },
    required: ["mail"],
  };
  expect(await findFormProblem(schema, { mail: "ada@example.com", age: 7, more: true })).toBeUndefined();
  expect(await findFormProblem(schema, { mail: "ada" })).toBe('form does not fit: form/mail must match format "email"');
  expect(await findFormProblem(schema, { mail: "ada@example.com", age: 0.5 })).toContain("form/age must be integer");
  expect(await findFormProblem(schema, {})).toContain("'mail'");
  expect(await findFormProblem({ additionalProperties: false }, { __proto__x: 1 })).toContain("additional");
});

test.each<[what: string, schema: JsonObject, filled: JsonObject]>([
  ["a pattern that backtracks", { properties: { a: { pattern: "^(a+)+$" } } }, { a: `${"a".repeat(60)}!` }],
  [
    "a list that is compared with itself",
    { properties: { a: { uniqueItems: true } } },
    { a: Array.from({ length: 60_000 }, (_, i) => [i]) },
  ],
])("%s holds nobody up for long", async (_what, schema, filled) => {
  await checkForm(schema);
  expect(await findFormProblem(schema, filled)).toContain("takes more than 1000 ms");
});

test("work is cut off in the middle of an expression, and its own errors come through", () => {
  expect(() => runWithin(20, () => /^(a+)+$/.test(`${"a".repeat(60)}!`))).toThrow(TookTooLong);
  expect(runWithin(1000, () => 7)).toBe(7);
  expect(() =>
    runWithin(1000, () => {
      throw new RangeError("its own");
    }),
  ).toThrow(RangeError);
});
