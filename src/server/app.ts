import type { ConnectRouter, ConnectRouterOptions } from "@connectrpc/connect";
import { compressionGzip } from "@connectrpc/connect-node";
import { systemClock, type Clock } from "../clock.ts";
import { DomainError } from "../errors.ts";
import type { ListenAddress } from "../listen.ts";
import { toConnectError } from "../rpc/interceptors/errors.ts";
import { createBlobHandler, type BlobHandlerDeps } from "./blob-handler.ts";
import { refuseWith } from "./http-refusal.ts";
import { createJudge, type GuardOptions, type Judge, type RequestHead, type Verdict } from "./guard.ts";
import { defaultLimits, type Limits } from "./limits.ts";
import { linger } from "./linger.ts";
import { createListener, type Address, type Listener, type ServerReply, type ServerRequest } from "./listener.ts";
import type { PlainHandler } from "./plain.ts";
import { createRpcHandler } from "./rpc-handler.ts";
import type { Credentials } from "./tls-files.ts";

export interface AppDeps {
  readonly routes: (router: ConnectRouter) => void;
  /** Who may call and what becomes of errors: what `createInterceptors` returns. */
  readonly rpc: Pick<ConnectRouterOptions, "interceptors" | "requestGate">;
  readonly guard: GuardOptions;
  /** Uploaded files, and whose they are to read; absent = there are none. */
  readonly blobs?: Pick<BlobHandlerDeps, "blobs" | "findPrincipal" | "onAuthFailure">;
  /** Whether `/readyz` says so. */
  readonly isReady: () => boolean;
  /** Told of a failure that no caller can be told of; `where` is the request's path. */
  readonly onError: (error: unknown, where: string) => void;
  /** Told of a peer that left before it had its answer. */
  readonly onPeerGone?: (error: unknown, where: string) => void;
  readonly limits?: Partial<Limits>;
  readonly clock?: Clock;
  /** Replaces the guard; only for tests that show what it is for. */
  readonly judge?: Judge;
}

/** Everything that is served on the engine's ports and sockets. */
export interface App {
  /**
   * Once for each place to listen at; with credentials a port speaks TLS.
   * @throws DomainError as `Listener.listen` does, and invalid where the guard's options are no hosts or origins.
   */
  listen(where: ListenAddress, credentials?: Credentials): Promise<Address>;
  /** Shows other credentials on the ports that speak TLS. */
  setCredentials(credentials: Credentials): void;
  /** Ends open calls with UNAVAILABLE `ENGINE_STOPPING`, waits at most `graceMs`, then cuts what is left. */
  close(options: { readonly graceMs: number }): Promise<void>;
  /** How many connections are open. */
  connections(): number;
}

export function createApp(deps: AppDeps): App {
  const limits = { ...defaultLimits, ...deps.limits };
  const clock = deps.clock ?? systemClock;
  const shutdown = new AbortController();
  const rpc = createRpcHandler({
    routes: deps.routes,
    // Brotli is left out: no client here asks for it alone, and it is another parser for hostile bytes.
    options: {
      ...deps.rpc,
      readMaxBytes: limits.maxMessageBytes,
      acceptCompression: [compressionGzip],
      shutdownSignal: shutdown.signal,
    },
    limits,
    clock,
    onError: deps.onError,
    onPeerGone: deps.onPeerGone,
  });
  const { onError } = deps;
  const blobs = deps.blobs === undefined ? undefined : createBlobHandler({ ...deps.blobs, limits, clock, onError });
  const plain = createLazyPlain(deps);
  const listeners: Listener[] = [];

  const serveJudged =
    (judge: Judge) =>
    (request: ServerRequest, reply: ServerReply): void => {
      const verdict = judge(headOf(request));
      if (verdict.kind !== "pass") {
        linger(request, reply, { limits, clock });
        return answer(reply, verdict);
      }
      if (verdict.headers !== undefined) setHeaders(reply, verdict.headers);
      if (rpc(request, reply) || blobs?.(request, reply) === true) return;
      plain(request, reply);
    };

  return {
    async listen(where, credentials) {
      const judge = deps.judge ?? createJudge({ ...deps.guard, host: "host" in where ? where.host : undefined });
      const listener = createListener({ limits, clock, credentials, onRequest: serveJudged(judge) });
      listeners.push(listener);
      return listener.listen(where);
    },
    setCredentials(credentials) {
      for (const listener of listeners) listener.setCredentials(credentials);
    },
    async close(options) {
      shutdown.abort(stopping());
      await Promise.all(listeners.map((listener) => listener.close(options)));
    },
    connections: () => listeners.reduce((sum, listener) => sum + listener.connections(), 0),
  };
}

/** What calls are ended with when the engine stops. */
function stopping(): Error {
  return toConnectError(new DomainError("unavailable", "ENGINE_STOPPING", "the engine is stopping; connect again"));
}

function createLazyPlain(deps: AppDeps): PlainHandler {
  let loading: Promise<PlainHandler> | undefined;
  return (request, reply) => {
    loading ??= import("./plain.ts").then(({ createPlainHandler }) => createPlainHandler(deps));
    loading.then(
      (handle) => handle(request, reply),
      (error: unknown) => {
        deps.onError(error, request.url ?? "");
        reply.destroy();
      },
    );
  };
}

function headOf(request: ServerRequest): RequestHead {
  const { headers } = request;
  const authority = "authority" in request ? request.authority : undefined;
  // Both are checked where an HTTP/2 client sent both: routing must not see a name that the guard has not.
  const authorities = authority === undefined || authority === "" ? [] : [authority];
  if (headers.host !== undefined && headers.host !== authority) authorities.push(headers.host);
  return {
    method: request.method ?? "",
    target: request.url ?? "",
    authorities,
    origin: headers.origin,
    fetchSite: single(headers["sec-fetch-site"]),
    corsMethod: headers["access-control-request-method"],
    corsPrivateNetwork: single(headers["access-control-request-private-network"]),
  };
}

function answer(reply: ServerReply, verdict: Exclude<Verdict, { kind: "pass" }>): void {
  if (verdict.kind === "preflight") {
    setHeaders(reply, verdict.headers);
    reply.statusCode = 204;
    reply.end();
    return;
  }
  refuseWith(reply, verdict.status, new DomainError("denied", verdict.reason, verdict.message));
}

function setHeaders(reply: ServerReply, headers: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(headers)) reply.setHeader(name, value);
}

function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(", ") : value;
}
