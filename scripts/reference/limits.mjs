// What the validation rules of a field or a oneof say, in a few words for the reference.
import { getExtension, hasExtension } from "@bufbuild/protobuf";

/** The limits of a field; empty where it has none. */
export function limitsOf(field, registry) {
  const rules = rulesOf(field, registry.getExtension("buf.validate.field"));
  return rules === undefined ? "" : inWords(rules, field.enum).join(", ");
}

/** Whether one member of a oneof must be set. */
export function isRequired(oneof, registry) {
  return rulesOf(oneof, registry.getExtension("buf.validate.oneof"))?.required === true;
}

function rulesOf({ proto }, extension) {
  const { options } = proto;
  return options !== undefined && hasExtension(options, extension) ? getExtension(options, extension) : undefined;
}

function inWords(rules, enumOf) {
  const words = rules.required ? ["required"] : [];
  const { case: kind, value } = rules.type;
  if (kind === undefined) return words;
  const describe = {
    string: ofString,
    bytes: ofString,
    repeated: ofList,
    map: ofMap,
    enum: ofEnum,
    duration: ofDuration,
  };
  return [...words, ...(describe[kind] ?? ofNumber)(value, enumOf)];
}

function ofString(rules) {
  return [
    range(set(rules, "minLen"), set(rules, "maxLen"), "character", "characters"),
    range(set(rules, "minBytes"), set(rules, "maxBytes"), "byte", "bytes"),
    set(rules, "pattern") && `matches \`${rules.pattern.replaceAll("|", "\\|")}\``,
  ].filter(Boolean);
}

function ofList(rules, enumOf) {
  const items = rules.items === undefined ? [] : inWords(rules.items, enumOf);
  return [
    range(set(rules, "minItems"), set(rules, "maxItems"), "item", "items"),
    rules.unique && "none twice",
    items.length > 0 && `each ${items.join(", ")}`,
  ].filter(Boolean);
}

function ofMap(rules) {
  return [
    range(set(rules, "minPairs"), set(rules, "maxPairs"), "entry", "entries"),
    rules.keys && `keys of ${inWords(rules.keys).join(", ")}`,
    rules.values && `values of ${inWords(rules.values).join(", ")}`,
  ].filter(Boolean);
}

function ofEnum(rules, enumOf) {
  const names = (numbers) => numbers.map((n) => `\`${enumOf?.values.find(({ number }) => number === n)?.name ?? n}\``);
  return [
    rules.in.length > 0 && `one of ${names(rules.in).join(", ")}`,
    rules.notIn.length > 0 && `not ${names(rules.notIn).join(", ")}`,
    rules.definedOnly && rules.notIn.length === 0 && "a known value",
  ].filter(Boolean);
}

function ofDuration(rules) {
  return bounds(rules, ({ seconds }) => `${grouped(seconds)} s`);
}

function ofNumber(rules) {
  return bounds(rules, grouped);
}

const signs = { gt: ">", gte: "≥", lt: "<", lte: "≤" };

function bounds({ greaterThan, lessThan }, inUnits) {
  const ends = [greaterThan, lessThan].filter((end) => end.case !== undefined);
  return ends.map((end) => `${signs[end.case]} ${inUnits(end.value)}`);
}

function range(min, max, one, many) {
  if (min === undefined && max === undefined) return "";
  if (max === undefined) return `at least ${grouped(min)} ${Number(min) === 1 ? one : many}`;
  if (min === undefined) return `at most ${grouped(max)} ${many}`;
  return `${grouped(min)} to ${grouped(max)} ${many}`;
}

// Rules are of proto2: absent is not zero, and only own properties were set.
function set(rules, name) {
  return Object.hasOwn(rules, name) ? rules[name] : undefined;
}

function grouped(number) {
  return Number(number).toLocaleString("en-US");
}
