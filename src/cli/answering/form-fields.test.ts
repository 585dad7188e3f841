import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { fieldsOf } from "./form-fields.ts";

function field(schema: JsonObject) {
  const [only] = fieldsOf({ type: "object", properties: { f: schema } }) ?? [];
  if (only === undefined) throw new Error("the form has no field");
  return only;
}

test("fields come in the order of the form, with what is told of them", () => {
  const form = {
    type: "object",
    properties: {
      name: { type: "string", title: "Your name", description: "as on the door" },
      cups: { type: "integer", default: 2 },
    },
    required: ["name"],
  };
  expect(fieldsOf(form)).toMatchObject([
    { name: "name", label: "Your name", hint: "as on the door", isRequired: true, initial: "" },
    { name: "cups", label: "cups", hint: "", isRequired: false, initial: "2" },
  ]);
});

test("what can be chosen from is known by its values", () => {
  expect(field({ enum: ["a", 1, null] }).choices).toEqual([
    { value: "a", label: "a" },
    { value: 1, label: "1" },
    { value: null, label: "null" },
  ]);
  expect(field({ type: "boolean" }).choices?.map(({ value, label }) => [label, value])).toEqual([
    ["yes", true],
    ["no", false],
  ]);
  expect(field({ oneOf: [{ const: "x", title: "The X" }, { const: 2 }] }).choices).toEqual([
    { value: "x", label: "The X" },
    { value: 2, label: "2" },
  ]);
  expect(field({ type: "string" }).choices).toBeUndefined();
});

test.for<[string, string, unknown]>([
  ["string", " 1 ", { value: " 1 " }],
  ["integer", " 12 ", { value: 12 }],
  ["integer", "1.5", { error: "give a whole number" }],
  ["number", "1.5", { value: 1.5 }],
  ["number", "many", { error: "give a number" }],
  ["number", " ", { error: "give a number" }],
  ["array", '["a"]', { value: ["a"] }],
])("as %s, %j is read", ([type, text, expected]) => {
  expect(field({ type }).read(text)).toEqual(expected);
});

test.for<[JsonObject, string, string]>([
  [{ type: "integer", minimum: 1, maximum: 5 }, "0", "give 1 or more"],
  [{ type: "integer", minimum: 1, maximum: 5 }, "6", "give 5 or less"],
  [{ type: "number", exclusiveMinimum: 0 }, "0", "give more than 0"],
  [{ type: "number", exclusiveMaximum: 1 }, "1", "give less than 1"],
  [{ type: "integer", multipleOf: 5 }, "7", "give a multiple of 5"],
  [{ type: "string", minLength: 2 }, "👩", "give at least 2 characters"],
  [{ type: "string", maxLength: 1 }, "ab", "give at most 1 character"],
  [{ type: "string", pattern: "^[a-z]+$" }, "A1", "it has to match ^[a-z]+$"],
])("%j does not take %j: %s", ([schema, text, error]) => {
  expect(field(schema).read(text)).toEqual({ error });
});

test.for<[JsonObject, string, JsonValue]>([
  [{ type: "integer", minimum: 1, maximum: 5 }, "5", 5],
  [{ type: "string", minLength: 1, maxLength: 2, pattern: "^\\p{L}+$" }, "äö", "äö"],
  // What cannot be told here is the engine's to say: a pattern that is none, and one that takes for ever.
  [{ type: "string", pattern: "(" }, "x", "x"],
  [{ type: "string", pattern: "^(a+)+$" }, `${"a".repeat(60)}!`, `${"a".repeat(60)}!`],
])("%j takes %j", ([schema, text, value]) => {
  expect(field(schema).read(text)).toEqual({ value });
});

test("what a field takes stands beside its name", () => {
  expect(field({ type: "integer", description: "of tea", minimum: 1, maximum: 5 }).hint).toBe("of tea · 1 to 5");
  expect(field({ type: "string", maxLength: 3, pattern: "^a" }).hint).toBe("at most 3 characters · like ^a");
  expect(field({ type: "string" }).hint).toBe("");
});

test("what is no JSON is refused with a word", () => {
  expect(field({ type: "object" }).read("{")).toMatchObject({ error: expect.stringContaining("JSON") as unknown });
});

test.for<[JsonObject]>([[{}], [{ type: "object" }], [{ properties: {} }], [{ properties: [] }], [{ allOf: [] }]])(
  "%j has no fields that could be asked one by one",
  ([form]) => {
    expect(fieldsOf(form)).toBeUndefined();
  },
);
