import { create, getOption, ScalarType, type DescField, type DescMessage, type Message } from "@bufbuild/protobuf";
import { DurationSchema, StructSchema, TimestampSchema, type Duration, type Timestamp } from "@bufbuild/protobuf/wkt";
import { field as fieldRules, type FieldRules } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { PartSchema } from "../../gen/ts/parley/v1/message_pb.ts";
import { makeRequest } from "./methods.ts";

/** One way in which a request breaks the rules of its proto. */
export interface Violation {
  /** The field, as errors name it. */
  readonly field: string;
  readonly what: string;
  /** Makes a valid request an invalid one. */
  apply(request: Target): void;
}

type Target = Message & Record<string, unknown>;

/** Every way to break a message's rules, one field at a time. Throws where a field has no bound at all. */
export function violationsOf(schema: DescMessage): Violation[] {
  if (schema.typeName === PartSchema.typeName) return partViolations();
  return schema.fields.flatMap((field) => [...violationsOfField(field)]);
}

function* violationsOfField(field: DescField): Generator<Violation> {
  const rules = getOption(field, fieldRules);
  const set = (what: string, value: unknown): Violation => ({
    field: field.name,
    what,
    apply: (request) => setField(request, field, value),
  });
  switch (field.fieldKind) {
    case "scalar":
      for (const [what, value] of badScalars(field.scalar, rules, `${field.parent.name}.${field.name}`))
        yield set(what, value);
      return;
    case "enum":
      yield set("is a number that its enum does not have", 99);
      return;
    case "message":
      if (field.message.typeName === DurationSchema.typeName) {
        for (const [what, value] of badDurations(rules)) yield set(what, value);
        return;
      }
      if (field.message.typeName === TimestampSchema.typeName) {
        for (const [what, value] of badTimestamps(rules)) yield set(what, value);
        return;
      }
      if (field.message.typeName === StructSchema.typeName) {
        // Those of a call are as large as a message may be.
        if (field.name === "arguments") return;
        yield set("is too large as JSON", { text: "x".repeat(64 * 1024) });
        return;
      }
      for (const inner of violationsOf(field.message)) {
        yield {
          field: `${field.name}.${inner.field}`,
          what: inner.what,
          apply(request) {
            const message = makeRequest(field.message, (request[field.localName] as object | undefined) ?? {});
            inner.apply(message);
            setField(request, field, message);
          },
        };
      }
      return;
    case "list":
      yield* badLists(field, rules, set);
      return;
    case "map":
      yield* badMaps(field, rules, set);
      return;
  }
}

function setField(request: Target, { oneof, localName }: DescField, value: unknown): void {
  if (oneof === undefined) request[localName] = value;
  else request[oneof.localName] = { case: localName, value };
}

/** What fits no pattern that is anchored and bounded, as all of ours are. */
const UNFIT = [
  ["is empty", ""],
  ["has a blank", "a b"],
  ["has another script", "naïve 😀"],
  ["is too long", "a".repeat(1000)],
] as const;

function* badScalars(type: ScalarType, rules: FieldRules, name: string): Generator<[string, unknown]> {
  const { case: kind, value: bounds } = rules.type;
  // oxlint-disable-next-line typescript/switch-exhaustiveness-check -- the others are refused by name
  switch (type) {
    case ScalarType.STRING: {
      if (kind !== "string") throw new Error(`${name} is a string without a bound`);
      if (bounds.pattern !== "") {
        for (const [what, value] of UNFIT) yield [what, value];
        return;
      }
      if (bounds.minLen > 0n) yield ["is empty", ""];
      if (bounds.maxLen > 0n) yield ["is too long", "😀".repeat(Number(bounds.maxLen) + 1)];
      else if (bounds.maxBytes > 0n) yield ["has too many bytes", `${"😀".repeat(Number(bounds.maxBytes) / 4)}x`];
      else throw new Error(`${name} is a string without an upper bound`);
      return;
    }
    case ScalarType.INT32: {
      if (kind !== "int32") throw new Error(`${name} is a number without a bound`);
      if (bounds.greaterThan.case === "gte") yield ["is too small", bounds.greaterThan.value - 1];
      if (bounds.lessThan.case === "lte") yield ["is too large", bounds.lessThan.value + 1];
      return;
    }
    case ScalarType.INT64: {
      if (kind !== "int64") throw new Error(`${name} is a number without a bound`);
      if (bounds.greaterThan.case === "gte") yield ["is too small", bounds.greaterThan.value - 1n];
      if (bounds.lessThan.case === "lte") yield ["is too large", bounds.lessThan.value + 1n];
      return;
    }
    case ScalarType.BOOL:
      return;
    default:
      throw new Error(`${name}: this test does not know how to break a ${ScalarType[type]}; teach it`);
  }
}

function* badDurations(rules: FieldRules): Generator<[string, Duration]> {
  if (rules.type.case !== "duration") throw new Error("a duration without a bound");
  const { greaterThan, lessThan } = rules.type.value;
  if (greaterThan.case === "gte")
    yield ["is negative", create(DurationSchema, { seconds: greaterThan.value.seconds - 1n })];
  if (greaterThan.case === "gt") yield ["is not more than nothing", greaterThan.value];
  if (lessThan.case === "lte") yield ["is too long", create(DurationSchema, { ...lessThan.value, nanos: 1 })];
}

function* badTimestamps(rules: FieldRules): Generator<[string, Timestamp]> {
  if (rules.type.case !== "timestamp") throw new Error("a time without a bound");
  const { greaterThan, lessThan } = rules.type.value;
  if (greaterThan.case === "gte")
    yield ["is too early", create(TimestampSchema, { seconds: greaterThan.value.seconds - 1n })];
  if (lessThan.case === "lte") yield ["is too late", create(TimestampSchema, { ...lessThan.value, nanos: 1 })];
}

function* badLists(
  field: DescField & { fieldKind: "list" },
  rules: FieldRules,
  set: (what: string, value: unknown) => Violation,
): Generator<Violation> {
  if (rules.type.case !== "repeated") throw new Error(`${field.name} is a list without a bound`);
  const { minItems, maxItems, items } = rules.type.value;
  if (minItems > 0n) yield set("is empty", []);
  yield {
    ...set("has too many items", []),
    apply: (request) => repeatFirst(request, field, Number(maxItems) + 1),
  };
  for (const [where, what, makeItem] of badItems(field, items)) {
    yield {
      field: where === "" ? `${field.name}[0]` : `${field.name}[0].${where}`,
      what,
      apply: (request) => void (request[field.localName] = [makeItem()]),
    };
  }
}

/** Where in the item it is wrong, what is wrong, and such an item. */
function* badItems(
  field: DescField & { fieldKind: "list" },
  items: FieldRules | undefined,
): Generator<[string, string, () => unknown]> {
  switch (field.listKind) {
    case "message":
      for (const inner of violationsOf(field.message)) {
        const make = (): unknown => {
          const item = makeRequest(field.message, {});
          inner.apply(item);
          return item;
        };
        yield [inner.field, inner.what, make];
      }
      return;
    case "enum":
      yield ["", "is a number that its enum does not have", () => 99];
      yield ["", "is not set", () => 0];
      return;
    case "scalar":
      if (items === undefined) throw new Error(`${field.name} has items without a bound`);
      for (const [what, value] of badScalars(field.scalar, items, field.name)) yield ["", what, () => value];
      return;
  }
}

/** Where a valid request has none, any item does: there are too many of them. */
function repeatFirst(request: Target, field: DescField & { fieldKind: "list" }, times: number): void {
  const [first = field.listKind === "scalar" ? "x" : 1] = request[field.localName] as unknown[];
  request[field.localName] = Array.from({ length: times }, () => first);
}

function* badMaps(
  field: DescField & { fieldKind: "map" },
  rules: FieldRules,
  set: (what: string, value: unknown) => Violation,
): Generator<Violation> {
  if (rules.type.case !== "map") throw new Error(`${field.name} is a map without a bound`);
  const { maxPairs, keys, values } = rules.type.value;
  const pairs = Array.from({ length: Number(maxPairs) + 1 }, (_, i) => [`key${i}`, "x"]);
  yield set("has too many entries", Object.fromEntries(pairs));
  for (const [what, key] of badScalars(field.mapKey, keys!, `${field.name}'s name`)) {
    yield set(`has a name that ${what}`, { [String(key)]: "x" });
  }
  for (const [what, value] of badScalars(ScalarType.STRING, values!, `${field.name}'s value`)) {
    yield set(`has a value that ${what}`, { key: value });
  }
}

/** A user's part holds text; everything else that a part can be is refused, and so is nothing. */
function partViolations(): Violation[] {
  const others = PartSchema.fields.filter(({ localName }) => localName !== "text");
  return [
    { field: "content", what: "is not set", apply: () => undefined },
    { field: "text", what: "is empty", apply: (part) => void (part["content"] = { case: "text", value: "" }) },
    ...others.map(({ localName, name, message }) => ({
      field: "",
      what: `is a ${name}`,
      apply: (part: Target) =>
        void (part["content"] = { case: localName, value: makeRequest(message!, { state: 99 }) }),
    })),
  ];
}
