import type { JsonObject } from "@bufbuild/protobuf";
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

test("what is no JSON is refused with a word", () => {
  expect(field({ type: "object" }).read("{")).toMatchObject({ error: expect.stringContaining("JSON") as unknown });
});

test.for<[JsonObject]>([[{}], [{ type: "object" }], [{ properties: {} }], [{ properties: [] }], [{ allOf: [] }]])(
  "%j has no fields that could be asked one by one",
  ([form]) => {
    expect(fieldsOf(form)).toBeUndefined();
  },
);
