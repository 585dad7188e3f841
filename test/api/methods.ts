import { readdirSync } from "node:fs";
import { create, type DescMessage, type DescMethod, type DescService, type Message } from "@bufbuild/protobuf";
import { createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import type { TestEngine } from "./test-engine.ts";

const GENERATED = new URL("../../gen/ts/parley/v1/", import.meta.url);

/** Every service of the package, as the protos have it: a new one is found without being listed anywhere. */
export async function loadServices(): Promise<DescService[]> {
  const services: DescService[] = [];
  for (const file of readdirSync(GENERATED)) {
    const exported = (await import(new URL(file, GENERATED).href)) as Record<
      string,
      { readonly kind?: unknown } | undefined
    >;
    for (const value of Object.values(exported)) if (value?.kind === "service") services.push(value as DescService);
  }
  return services;
}

/** `SessionService.CreateSession` */
export function nameOf(method: DescMethod): string {
  return `${method.parent.name}.${method.name}`;
}

export function makeRequest(schema: DescMessage, init: object): Message & Record<string, unknown> {
  return create(schema, init as never) as Message & Record<string, unknown>;
}

/** Connect over HTTP/1.1, as a browser speaks it. */
export function plainTransport(
  { url, token }: Pick<TestEngine, "url" | "token">,
  { authorization = `Bearer ${token}`, useBinaryFormat = true } = {},
): Transport {
  return createConnectTransport({
    baseUrl: url,
    httpVersion: "1.1",
    useBinaryFormat,
    interceptors: [
      (next) => (request) => {
        if (authorization !== "") request.header.set("authorization", authorization);
        return next(request);
      },
    ],
  });
}

/** Calls any method; of a stream it takes the first message, and lets go. */
export async function call(transport: Transport, method: DescMethod, request: Message): Promise<unknown> {
  const client = createClient(method.parent, transport) as unknown as Record<
    string,
    (request: Message, options: object) => unknown
  >;
  const controller = new AbortController();
  const outcome = client[method.localName]!(request, { signal: controller.signal });
  if (method.methodKind === "unary") return outcome;
  try {
    for await (const response of outcome as AsyncIterable<unknown>) return response;
    return undefined;
  } finally {
    controller.abort();
  }
}
