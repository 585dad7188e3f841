import {
  createFileRegistry,
  fromBinary,
  type DescMessage,
  type DescService,
  type FileRegistry,
  type Message,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema, type Any } from "@bufbuild/protobuf/wkt";
import type { Code } from "@connectrpc/connect";
import { readFileSync } from "node:fs";

// The suite's protos come with the suite, as descriptors made when it runs: generated code would be half a megabyte of
// somebody else's, for one version of it. These are the fields that the test program uses.

export interface Header {
  readonly name: string;
  readonly value: readonly string[];
}

export interface ErrorDefinition {
  readonly code: Code;
  readonly message?: string;
  readonly details: readonly Any[];
}

export interface UnaryDefinition {
  readonly responseHeaders: readonly Header[];
  readonly responseTrailers: readonly Header[];
  readonly responseDelayMs: number;
  readonly response:
    | { readonly case: "responseData"; readonly value: Uint8Array }
    | { readonly case: "error"; readonly value: ErrorDefinition }
    | { readonly case: undefined };
}

export interface StreamDefinition {
  readonly responseHeaders: readonly Header[];
  readonly responseTrailers: readonly Header[];
  readonly responseDelayMs: number;
  readonly responseData: readonly Uint8Array[];
  readonly error?: ErrorDefinition;
}

export type UnaryRequest = Message & { readonly responseDefinition?: UnaryDefinition };
export type StreamRequest = Message & { readonly responseDefinition?: StreamDefinition; readonly fullDuplex?: boolean };

export interface Protos {
  readonly registry: FileRegistry;
  message(name: string): DescMessage;
  readonly service: DescService;
}

const PACKAGE = "connectrpc.conformance.v1";

export function loadProtos(path: string): Protos {
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(path)));
  return {
    registry,
    message: (name) => known(registry.getMessage(`${PACKAGE}.${name}`), name),
    service: known(registry.getService(`${PACKAGE}.ConformanceService`), "ConformanceService"),
  };
}

function known<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw new Error(`${name} is not in the suite's protos`);
  return value;
}
