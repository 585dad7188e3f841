// The API as the protos tell it: what there is, what was said of it, and where the reference describes it.
import { createFileRegistry, fromBinary, getExtension } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { anchor, tidy } from "./markdown.mjs";

export const PACKAGE = "parley.v1";
const CODES = new Set(
  "INVALID_ARGUMENT NOT_FOUND ALREADY_EXISTS FAILED_PRECONDITION OUT_OF_RANGE UNAUTHENTICATED PERMISSION_DENIED RESOURCE_EXHAUSTED UNAVAILABLE".split(
    " ",
  ),
);

/** Reads an image that `buf build` made with its source information. */
export function readBook(image) {
  const set = fromBinary(FileDescriptorSetSchema, image);
  const registry = createFileRegistry(set);
  const files = [...registry.files].filter(({ proto }) => proto.package === PACKAGE);
  const services = files.flatMap((file) => file.services).sort((a, b) => order(a) - order(b));
  const methods = services.flatMap((service) => service.methods);
  const own = new Set(methods.flatMap(({ input, output }) => [input.typeName, output.typeName]));
  const messages = files.flatMap((file) => file.messages).filter(({ typeName }) => !own.has(typeName));
  const enums = files.flatMap((file) => [...file.enums, ...file.messages.flatMap(({ nestedEnums }) => nestedEnums)]);
  const payloads = registry.getMessage(`${PACKAGE}.Event`).oneofs[0].fields;
  const payloadTypes = new Map(payloads.map((field) => [field.message.typeName, field.name]));
  const types = [...messages, ...enums].filter(({ typeName }) => !payloadTypes.has(typeName));
  const comments = new Map(set.file.flatMap(commentsOf));
  const link = (desc) => {
    const payload = payloadTypes.get(desc.typeName);
    if (payload !== undefined) return `events.md#${payload}`;
    return `types.md#${anchor(shortName(desc))}`;
  };
  return { registry, services, methods, types, payloads, link, comment: ({ proto }) => comments.get(proto) ?? "" };
}

// The order in which a reader meets them, not that of the alphabet.
function order({ name }) {
  return ["SessionService", "MessageService", "ProfileService", "EngineService"].indexOf(name) + 1 || 99;
}

/** Pairs of a descriptor and its comment. Numbers in a path are field numbers of descriptor.proto. */
function commentsOf(file) {
  const found = new Map((file.sourceCodeInfo?.location ?? []).map((at) => [at.path.join("."), at.leadingComments]));
  const said = (proto, ...path) => [proto, tidy(found.get(path.join(".")) ?? "")];
  const ofEnum = (type, ...path) => [said(type, ...path), ...type.value.map((value, i) => said(value, ...path, 2, i))];
  const ofMessage = (type, ...path) => [
    said(type, ...path),
    ...type.field.map((field, i) => said(field, ...path, 2, i)),
    ...type.oneofDecl.map((oneof, i) => said(oneof, ...path, 8, i)),
    ...type.enumType.flatMap((nested, i) => ofEnum(nested, ...path, 4, i)),
  ];
  return [
    ...file.messageType.flatMap((type, i) => ofMessage(type, 4, i)),
    ...file.enumType.flatMap((type, i) => ofEnum(type, 5, i)),
    ...file.service.flatMap((service, i) => [
      said(service, 6, i),
      ...service.method.map((method, j) => said(method, 6, i, 2, j)),
    ]),
  ];
}

/** Comments say "NOT_FOUND `SESSION_NOT_FOUND` or `TURN_NOT_FOUND`": a code holds for the reasons that follow it. */
export function reasonsOf(comment) {
  const found = [];
  let code = "";
  for (const [, reason, word] of comment.matchAll(/`([A-Z_]+)`|\b([A-Z_]+)\b/g)) {
    if (CODES.has(word)) code = word;
    else if (reason !== undefined && code !== "") found.push({ code, reason });
  }
  return found;
}

export function scopeOf(book, method) {
  return ["none", "read", "operate", "admin"][accessOf(book, method).scope];
}

export function accessOf(book, { proto }) {
  return getExtension(proto.options, book.registry.getExtension(`${PACKAGE}.access`));
}

export function methodLink(method) {
  return `${pageOf(method.parent)}#${anchor(method.name)}`;
}

export function pageOf({ name }) {
  return `${name.replaceAll(/(?<=[a-z])(?=[A-Z])/g, "-").toLowerCase()}.md`;
}

export function shortName({ typeName }) {
  return typeName.slice(PACKAGE.length + 1);
}
