// The fields of a message as a table.
import { PACKAGE, shortName } from "./book.mjs";
import { isRequired, limitsOf } from "./limits.mjs";
import { table } from "./markdown.mjs";

/** What is said of a message, and its fields. */
export function fieldsOrNothing(book, message) {
  if (message.fields.length === 0) return ": empty.";
  return `: ${book.comment(message)}\n\n${fieldTable(book, message.fields)}`;
}

export function fieldTable(book, fields) {
  const rows = fields.map((field) => {
    const limits = [memberOf(book, field), limitsOf(field, book.registry)].filter(Boolean).join(", ");
    return [`\`${field.name}\``, typeOf(book, field), book.comment(field), limits];
  });
  const hasLimits = rows.some((row) => row[3] !== "");
  const head = ["field", "type", "meaning", "limits"];
  return hasLimits
    ? table(head, rows)
    : table(
        head.slice(0, 3),
        rows.map((row) => row.slice(0, 3)),
      );
}

function memberOf(book, { oneof }) {
  if (oneof === undefined) return "";
  return `${isRequired(oneof, book.registry) ? "exactly one" : "at most one"} of \`${oneof.name}\``;
}

const SCALARS = {
  1: "double",
  2: "float",
  3: "int64",
  4: "uint64",
  5: "int32",
  8: "bool",
  9: "string",
  12: "bytes",
  13: "uint32",
};

function typeOf(book, field) {
  const named = (desc) => {
    if (!desc.typeName.startsWith(`${PACKAGE}.`)) return desc.name;
    return `[${shortName(desc)}](${book.link(desc)})`;
  };
  const single = (part) => {
    if (part.message !== undefined) return named(part.message);
    return part.enum === undefined ? SCALARS[part.scalar] : named(part.enum);
  };
  if (field.fieldKind === "list") return `${single(field)}, repeated`;
  if (field.fieldKind === "map") return `map of ${SCALARS[field.mapKey]} to ${single(field)}`;
  return field.proto.proto3Optional ? `${single(field)}, optional` : single(field);
}
