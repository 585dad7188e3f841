// The reference of the API as Markdown: the pages of docs/api/, written by npm run generate.
import { accessOf, methodLink, PACKAGE, pageOf, readBook, reasonsOf, scopeOf, shortName } from "./book.mjs";
import { COMMON_REASONS, PLAIN_ROUTES } from "./beside-protos.mjs";
import { fieldsOrNothing, fieldTable } from "./fields.mjs";
import { anchor, firstSentence, table } from "./markdown.mjs";

const NOTICE = "<!-- Generated from proto/parley/v1 by `npm run generate`; changes here are lost. -->\n";

/** The pages, by their names in docs/api, of an image that `buf build` made with its source information. */
export function referencePages(image) {
  const book = readBook(image);
  return new Map([
    ["README.md", contents(book)],
    ...book.services.map((service) => [pageOf(service), servicePage(book, service)]),
    ["events.md", eventsPage(book)],
    ["types.md", typesPage(book)],
  ]);
}

function contents(book) {
  const services = book.services.map((service) => {
    const rows = service.methods.map((method) => [
      `[${method.name}](${pageOf(service)}#${anchor(method.name)})`,
      scopeOf(book, method),
      firstSentence(book.comment(method)),
    ]);
    return `## ${service.name}\n\n${book.comment(service)}\n\n${table(["method", "scope", "what it does"], rows)}`;
  });
  const events = book.payloads.map((field) => [`[\`${field.name}\`](events.md#${field.name})`, book.comment(field)]);
  return `${NOTICE}
# API reference

Package \`${PACKAGE}\`: every method, field, limit, default and error, from the protos in [proto/parley/v1](../../proto/parley/v1).
[streams.md](../streams.md) tells how to follow a session.

- A method is \`POST /parley.v1.SERVICE/METHOD\` with JSON or protobuf in the Connect protocol; gRPC and gRPC-Web are on the same port.
- Every call wants \`Authorization: Bearer TOKEN\`. A token's scope is \`read\`, \`operate\` or \`admin\`; each includes the ones before it.
- In JSON, names are camelCase, 64-bit numbers are strings, times are RFC 3339, spans are like \`"1.5s"\`.
- What breaks a limit is INVALID_ARGUMENT \`INVALID_FIELD\`, with the field's name in \`google.rpc.BadRequest\`; nothing was changed then.
- Fields that are absent have their default: 0, empty, false. Where absent means something else the field says so.

${services.join("\n\n")}

## Events

${table(["payload", "what happened"], events)}

## Plain HTTP

${table(["route", "scope", "what it does"], PLAIN_ROUTES)}

Refusals are JSON, as those of methods in the Connect protocol.

## Reasons of errors

Branch on the reason: it is in the \`google.rpc.ErrorInfo\` of the error, with domain \`parley\`. What was not foreseen is INTERNAL,
with an id that is in the engine's log.

${table(
  ["reason", "code", "from"],
  COMMON_REASONS.map(([reason, ...cells]) => [`\`${reason}\``, ...cells]),
)}

What methods name of their own:

${table(["reason", "code", "from"], reasonRows(book))}
`;
}

function reasonRows(book) {
  const rows = new Map();
  for (const method of book.methods) {
    for (const { code, reason } of reasonsOf(book.comment(method))) {
      const key = `${reason} ${code}`;
      const row = rows.get(key) ?? { reason, code, methods: [] };
      row.methods.push(`[${method.name}](${methodLink(method)})`);
      rows.set(key, row);
    }
  }
  const sorted = [...rows.values()].sort((a, b) => (a.reason < b.reason ? -1 : 1));
  return sorted.map(({ reason, code, methods }) => [`\`${reason}\``, code, methods.join(", ")]);
}

function servicePage(book, service) {
  const list = service.methods.map(({ name }) => `[${name}](#${anchor(name)})`).join(" · ");
  const methods = service.methods.map((method) => methodSection(book, method));
  return `${NOTICE}
# ${service.name}

${book.comment(service)}

${list}

${methods.join("\n\n")}

[All services](README.md)
`;
}

function methodSection(book, method) {
  const facts = [
    `\`POST /${method.parent.typeName}/${method.name}\``,
    method.idempotency === 1 && method.methodKind === "unary" && "also GET",
    `scope \`${scopeOf(book, method)}\``,
    accessOf(book, method).agentSelf && "an attached agent's token for its own session",
    method.idempotency === 1 && "no side effects",
    method.idempotency === 2 && "idempotent",
    method.input.fields.some(({ name }) => name === "idempotency_key") && "safe to repeat with its `idempotency_key`",
    method.methodKind === "server_streaming" && "**stream**",
  ].filter(Boolean);
  const isStream = method.methodKind === "server_streaming";
  return `## ${method.name}

${prose(book, method)}

${facts.join(" · ")}

**Request**${fieldsOrNothing(book, method.input)}

**${isStream ? "Each response" : "Response"}**${fieldsOrNothing(book, method.output)}`;
}

function eventsPage(book) {
  const event = book.registry.getMessage(`${PACKAGE}.Event`);
  const sections = book.payloads.map(
    (field) => `## ${field.name}

${book.comment(field.message)}

${fieldTable(book, field.message.fields)}`,
  );
  return `${NOTICE}
# Events

${book.comment(event)} [streams.md](../streams.md) tells how to read them.

${fieldTable(
  book,
  event.fields.filter((field) => field.oneof === undefined),
)}

\`payload\` is exactly one of:

${table(
  ["number", "payload", "what happened"],
  book.payloads.map((field) => [field.number, `[\`${field.name}\`](#${field.name})`, book.comment(field)]),
)}

${sections.join("\n\n")}

[All services](README.md)
`;
}

function typesPage(book) {
  const sorted = [...book.types].sort((a, b) => (shortName(a) < shortName(b) ? -1 : 1));
  const sections = sorted.map((type) => {
    const body =
      type.kind === "enum"
        ? table(
            ["value", "number", "meaning"],
            type.values.map((v) => [`\`${v.name}\``, v.number, book.comment(v)]),
          )
        : fieldTable(book, type.fields);
    return `## ${shortName(type)}\n\n${book.comment(type)}\n\n${body}`;
  });
  return `${NOTICE}
# Messages and enums

What requests, responses and events are made of.

${sorted.map((type) => `[${shortName(type)}](#${anchor(shortName(type))})`).join(" · ")}

${sections.join("\n\n")}

[All services](README.md)
`;
}

/** A method's comment, with the methods that it names as links. */
function prose(book, method) {
  const names = new Map(book.methods.map((other) => [other.name, other]));
  names.delete(method.name);
  return book.comment(method).replaceAll(/`[^`]*`|\b[A-Z][a-z]+[A-Za-z]*\b/g, (word, at, text) => {
    const other = names.get(word);
    // "Steer" and "FollowUp" are names; a sentence may also begin with a word that is one.
    const isName = other !== undefined && !(word === "Steer" && /(^|\. )$/.test(text.slice(0, at)));
    return isName ? `[${word}](${methodLink(other)})` : word;
  });
}
