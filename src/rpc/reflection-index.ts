import {
  toBinary,
  type DescEnum,
  type DescExtension,
  type DescFile,
  type DescMessage,
  type DescService,
} from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";

/** Where everything is declared that the given services can be called with. */
export interface ReflectionIndex {
  fileByName(name: string): DescFile | undefined;
  /** By full name: service, method, message, field, oneof, enum, enum value or extension. */
  fileBySymbol(symbol: string): DescFile | undefined;
  fileByExtension(extendee: string, number: number): DescFile | undefined;
  /** Undefined where there is no such message. */
  extensionNumbers(extendee: string): readonly number[] | undefined;
}

/** `details` are files that no service imports: what the details of errors are made of. */
export function createReflectionIndex(
  services: readonly DescService[],
  details: readonly DescFile[] = [],
): ReflectionIndex {
  const files = new Map<string, DescFile>();
  const symbols = new Map<string, DescFile>();
  const extensions = new Map<string, Map<number, DescFile>>();
  for (const file of withImports([...services.map((service) => service.file), ...details])) {
    files.set(fileName(file), file);
    for (const type of nestedTypes(file)) {
      for (const symbol of symbolsOf(type)) symbols.set(symbol, file);
      if (type.kind === "message" && !extensions.has(type.typeName)) extensions.set(type.typeName, new Map());
      if (type.kind === "extension") addExtension(extensions, type);
    }
  }
  return {
    fileByName: (name) => files.get(name),
    fileBySymbol: (symbol) => symbols.get(symbol),
    fileByExtension: (extendee, number) => extensions.get(extendee)?.get(number),
    extensionNumbers(extendee) {
      const found = extensions.get(extendee);
      return found && [...found.keys()].sort((a, b) => a - b);
    },
  };
}

/** The files and all that they import, each once, the imported before the importing. */
export function withImports(roots: readonly DescFile[]): readonly DescFile[] {
  const found = new Set<DescFile>();
  const visiting = new Set<DescFile>();
  const visit = (file: DescFile): void => {
    if (visiting.has(file)) return;
    visiting.add(file);
    for (const dependency of file.dependencies) visit(dependency);
    found.add(file);
  };
  for (const root of roots) visit(root);
  return [...found];
}

/** The name that other files import it by; `DescFile.name` has no ending. */
function fileName(file: DescFile): string {
  return file.proto.name;
}

const encoded = new WeakMap<DescFile, Uint8Array>();

export function encodeFile(file: DescFile): Uint8Array {
  let bytes = encoded.get(file);
  if (bytes === undefined) {
    bytes = toBinary(FileDescriptorProtoSchema, file.proto);
    encoded.set(file, bytes);
  }
  return bytes;
}

type DescType = DescMessage | DescEnum | DescExtension | DescService;

function symbolsOf(type: DescType): readonly string[] {
  const { typeName } = type;
  switch (type.kind) {
    case "service":
      return [typeName, ...type.methods.map((method) => `${typeName}.${method.name}`)];
    case "message":
      return [typeName, ...[...type.fields, ...type.oneofs].map((member) => `${typeName}.${member.name}`)];
    case "enum": {
      // As in C++, a value's name is declared beside its enum, not inside it.
      const scope = typeName.slice(0, typeName.lastIndexOf(".") + 1);
      return [typeName, ...type.values.map((value) => `${scope}${value.name}`)];
    }
    case "extension":
      return [typeName];
  }
}

function addExtension(extensions: Map<string, Map<number, DescFile>>, extension: DescExtension): void {
  const { typeName } = extension.extendee;
  const numbers = extensions.get(typeName) ?? new Map<number, DescFile>();
  numbers.set(extension.number, extension.file);
  extensions.set(typeName, numbers);
}
