import { create, type Message } from "@bufbuild/protobuf";
import { anyPack, anyUnpack, type Any } from "@bufbuild/protobuf/wkt";
import { ConnectError, type ConnectRouter, type HandlerContext } from "@connectrpc/connect";
import { delay, systemClock } from "../../src/clock.ts";
import type {
  ErrorDefinition,
  Header,
  Protos,
  StreamDefinition,
  StreamRequest,
  UnaryDefinition,
  UnaryRequest,
} from "./protos.ts";

/** The suite's ConformanceService, as its proto describes it. */
export function conformanceRoutes(protos: Protos): (router: ConnectRouter) => void {
  const answer = (name: string, payload: Message): Message => create(protos.message(name), { payload });

  const unary = (responseName: string) => async (request: UnaryRequest, context: HandlerContext) =>
    answer(responseName, await unaryPayload(protos, request.responseDefinition, [request], context));

  const implementation = {
    unary: unary("UnaryResponse"),
    idempotentUnary: unary("IdempotentUnaryResponse"),

    async clientStream(requests: AsyncIterable<UnaryRequest>, context: HandlerContext) {
      const all: UnaryRequest[] = [];
      for await (const request of requests) all.push(request);
      return answer("ClientStreamResponse", await unaryPayload(protos, all[0]?.responseDefinition, all, context));
    },

    async *serverStream(request: StreamRequest, context: HandlerContext) {
      for await (const payload of streamPayloads(protos, request.responseDefinition, [request], context)) {
        yield answer("ServerStreamResponse", payload);
      }
    },

    async *bidiStream(requests: AsyncIterable<StreamRequest>, context: HandlerContext) {
      const source = requests[Symbol.asyncIterator]();
      const first = await source.next();
      if (first.done === true) return;
      if (first.value.fullDuplex === true) {
        for await (const payload of duplexPayloads(protos, first.value, source, context))
          yield answer("BidiStreamResponse", payload);
        return;
      }
      const all = [first.value];
      for (let next = await source.next(); next.done !== true; next = await source.next()) all.push(next.value);
      for await (const payload of streamPayloads(protos, first.value.responseDefinition, all, context)) {
        yield answer("BidiStreamResponse", payload);
      }
    },
  };
  // The suite's error details are messages of its own; JSON can show them only to who knows them.
  return (router) =>
    router.service(protos.service, implementation as never, { jsonOptions: { registry: protos.registry } });
}

async function unaryPayload(
  protos: Protos,
  definition: UnaryDefinition | undefined,
  requests: readonly Message[],
  context: HandlerContext,
): Promise<Message> {
  setMetadata(definition, context);
  const info = requestInfo(protos, requests, context);
  if (definition === undefined) return payload(protos, new Uint8Array(), info);
  await pause(definition.responseDelayMs, context.signal);
  const { response } = definition;
  if (response.case === "error") throw toError(protos, response.value, info);
  return payload(protos, response.case === "responseData" ? response.value : new Uint8Array(), info);
}

async function* streamPayloads(
  protos: Protos,
  definition: StreamDefinition | undefined,
  requests: readonly Message[],
  context: HandlerContext,
) {
  if (definition === undefined) return;
  setMetadata(definition, context);
  let info: Message | undefined = requestInfo(protos, requests, context);
  for (const data of definition.responseData) {
    await pause(definition.responseDelayMs, context.signal);
    yield payload(protos, data, info);
    info = undefined;
  }
  if (definition.error !== undefined) throw toError(protos, definition.error, info);
}

async function* duplexPayloads(
  protos: Protos,
  first: StreamRequest,
  rest: AsyncIterator<StreamRequest>,
  context: HandlerContext,
) {
  const definition = first.responseDefinition;
  if (definition === undefined) return;
  setMetadata(definition, context);
  let last: StreamRequest | undefined = first;
  let sent = 0;
  while (last !== undefined && sent < definition.responseData.length) {
    // Everything about the call with the first answer, only the request it answers with each later one.
    const info =
      sent === 0
        ? requestInfo(protos, [last], context)
        : create(requestInfoDesc(protos), { requests: [pack(protos, last)] });
    await pause(definition.responseDelayMs, context.signal);
    yield payload(protos, definition.responseData[sent] ?? new Uint8Array(), info);
    sent += 1;
    const next = await rest.next();
    last = next.done === true ? undefined : next.value;
  }
  for (; sent < definition.responseData.length; sent++) {
    await pause(definition.responseDelayMs, context.signal);
    yield payload(protos, definition.responseData[sent] ?? new Uint8Array(), undefined);
  }
  if (definition.error !== undefined)
    throw toError(protos, definition.error, sent === 0 ? requestInfo(protos, [first], context) : undefined);
}

function setMetadata(definition: UnaryDefinition | StreamDefinition | undefined, context: HandlerContext): void {
  append(context.responseHeader, definition?.responseHeaders ?? []);
  append(context.responseTrailer, definition?.responseTrailers ?? []);
}

function append(target: Headers, headers: readonly Header[]): void {
  for (const { name, value } of headers) for (const one of value) target.append(name, one);
}

function requestInfoDesc(protos: Protos) {
  return protos.message("ConformancePayload.RequestInfo");
}

function requestInfo(protos: Protos, requests: readonly Message[], context: HandlerContext): Message {
  const timeoutMs = context.timeoutMs();
  const query = [...new URL(context.url).searchParams].map(([name, value]) => ({ name, value: [value] }));
  return create(requestInfoDesc(protos), {
    requestHeaders: [...context.requestHeader].map(([name, value]) => ({ name, value: value.split(", ") })),
    requests: requests.map((request) => pack(protos, request)),
    ...(timeoutMs === undefined ? {} : { timeoutMs: BigInt(Math.ceil(timeoutMs)) }),
    ...(context.requestMethod === "GET" ? { connectGetInfo: { queryParams: query } } : {}),
  });
}

function pack(protos: Protos, message: Message): Any {
  const desc = protos.registry.getMessage(message.$typeName);
  if (desc === undefined) throw new Error(`${message.$typeName} is not in the suite's protos`);
  return anyPack(desc, message);
}

function payload(protos: Protos, data: Uint8Array, info: Message | undefined): Message {
  return create(protos.message("ConformancePayload"), { data, ...(info === undefined ? {} : { requestInfo: info }) });
}

function toError(protos: Protos, definition: ErrorDefinition, info: Message | undefined): ConnectError {
  const error = new ConnectError(definition.message ?? "", definition.code);
  const details = definition.details.map((any) => anyUnpack(any, protos.registry));
  for (const detail of [...details, info]) {
    const desc = detail && protos.registry.getMessage(detail.$typeName);
    if (detail !== undefined && desc !== undefined) error.details.push({ desc, value: detail as never });
  }
  return error;
}

async function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  if (delayMs > 0) await delay(systemClock, delayMs, signal);
}
