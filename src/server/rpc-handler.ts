import {
  Code,
  ConnectError,
  createConnectRouter,
  createContextValues,
  type ConnectRouter,
  type ConnectRouterOptions,
} from "@connectrpc/connect";
import type { UniversalHandler, UniversalServerResponse } from "@connectrpc/connect/protocol";
import { universalRequestFromNodeRequest, universalResponseToNodeResponse } from "@connectrpc/connect-node";
import type { Clock } from "../clock.ts";
import { frameWriterKey } from "../rpc/frame-writer.ts";
import { peerKey } from "../rpc/interceptors/principal.ts";
import { isPeerGone } from "../rpc/interceptors/peer-gone.ts";
import { createFrameWriter } from "./frame-writer.ts";
import { refuseInWords } from "./http-refusal.ts";
import type { Limits } from "./limits.ts";
import { cutLater, linger, onAnswered } from "./linger.ts";
import type { ServerReply, ServerRequest } from "./listener.ts";
import { boundWait, readBody } from "./request-body.ts";

export interface RpcHandlerDeps {
  readonly routes: (router: ConnectRouter) => void;
  readonly options: ConnectRouterOptions;
  readonly limits: Limits;
  readonly clock: Clock;
  /** Told of what went wrong outside of a method: a bug. */
  readonly onError: (error: unknown, method: string) => void;
  /** Told of a peer that left before it had its answer. */
  readonly onPeerGone?: ((error: unknown, method: string) => void) | undefined;
}

/**
 * Serves the RPCs; the returned function says whether the request was one. Connect's own adapters for Node and fastify do
 * the same in as many lines, but write errors to the console, wait for a body without limit, and cut an HTTP/1.1
 * connection whose request was refused half-read, so that the refusal never arrives.
 */
export function createRpcHandler(deps: RpcHandlerDeps): (request: ServerRequest, reply: ServerReply) => boolean {
  const router = createConnectRouter(deps.options);
  deps.routes(router);
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));

  return (request, reply) => {
    const handler = handlers.get(pathOf(request.url ?? ""));
    if (handler === undefined) return false;
    // A rejection is nothing that its caller could still be told of.
    serve(handler, request, reply, deps).catch((error: unknown) => {
      reply.destroy();
      const { onError, onPeerGone } = deps;
      if (isPeerGone(error)) onPeerGone?.(error, handler.requestPath);
      else onError(error, handler.requestPath);
    });
    return true;
  };
}

async function serve(
  handler: UniversalHandler,
  request: ServerRequest,
  reply: ServerReply,
  deps: RpcHandlerDeps,
): Promise<void> {
  const body = readBody(request);
  const hasOneMessage = handler.method.methodKind === "unary" || handler.method.methodKind === "server_streaming";
  const bounded = hasOneMessage
    ? boundWait(body, request, { ...deps, tooLate })
    : { [Symbol.asyncIterator]: () => body };
  const values = createContextValues().set(peerKey, request.socket.remoteAddress ?? "");
  if (handler.method.methodKind === "server_streaming") values.set(frameWriterKey, createFrameWriter(reply));
  // The adapter's type calls its third argument parsed JSON; any byte stream is taken as the body.
  const answer = await handler(universalRequestFromNodeRequest(request, reply, bounded as never, values));
  // The one message has been read or refused; a stream of messages may go on until the answer ends.
  if (hasOneMessage) linger(request, reply, deps);
  else onAnswered(reply, () => cutLater(request, deps));
  const words = answer.body === undefined ? wordsFor(answer.status, handler) : undefined;
  if (words !== undefined) return refuseInWords(reply, answer.status, words);
  await universalResponseToNodeResponse(letGoWhenClosed(answer, reply), reply);
}

/**
 * Ends what an answer is made from when its connection does. Over HTTP/1.1 the write during which a peer resets the connection
 * is never answered (false, and then neither `drain` nor `error`), so Connect's adapter would wait for ever, and the method with it.
 */
function letGoWhenClosed(answer: UniversalServerResponse, reply: ServerReply): UniversalServerResponse {
  if (answer.body === undefined) return answer;
  const body = answer.body[Symbol.asyncIterator]();
  reply.once("close", () => void body.return?.().catch(() => undefined));
  return { ...answer, body: { [Symbol.asyncIterator]: () => body } };
}

/** For what the framework refuses with a status alone. */
function wordsFor(status: number, { method }: UniversalHandler): string | undefined {
  if (status === 405) return "methods are called with POST, reads also with GET";
  if (status !== 415) return undefined;
  return method.methodKind === "unary"
    ? "the content-type of this method is application/json, application/proto, application/grpc or application/grpc-web"
    : "the content-type of this stream is application/connect+json, application/connect+proto, application/grpc or application/grpc-web";
}

function tooLate(): ConnectError {
  return new ConnectError("the rest of the request did not come in time", Code.DeadlineExceeded);
}

function pathOf(url: string): string {
  const query = url.indexOf("?");
  return query < 0 ? url : url.slice(0, query);
}
