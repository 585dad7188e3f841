import { X509Certificate } from "node:crypto";
import type { SecureClientSessionOptions } from "node:http2";
import { connect as openSocket } from "node:net";
import { isDeepStrictEqual } from "node:util";
import { Code, ConnectError, type Interceptor, type Transport } from "@connectrpc/connect";
import { createConnectTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { DomainError } from "../errors.ts";
import { readSocketUrl } from "../listen.ts";
import { explainFailure } from "./explain-failure.ts";
import type { OpenRequest } from "./upload-blob.ts";
import { type EngineAddress, isLoopback, type Trust } from "./locate-engine.ts";

/** No response of the engine is larger than 3.5 MB. */
const READ_MAX_BYTES = 8 << 20;
/** The longest a method may take by its contract is the `wait` of CancelTurn, 60 s. */
const UNARY_TIMEOUT_MS = 70_000;
/** Finds a connection that died without a word, while calls wait on it. */
const PING_INTERVAL_MS = 20_000;

/** A transport that can be closed. */
export interface Connection extends Transport {
  readonly url: string;
  /** Opens a plain request beside the calls, on their connection. */
  readonly openRequest: OpenRequest;
  close(): void;
}

/**
 * HTTP/2 with the Connect protocol, over TCP, TLS or a socket in the file system: as fast as gRPC here (38,000 small messages a second and 1.2 ms for a unary call, both), and
 * its errors survive proxies that drop trailers.
 */
export function connect({ url, token, trust }: EngineAddress): Connection {
  const socket = readSocketUrl(url);
  // Over a socket nobody looks at the name.
  const baseUrl = socket === undefined ? url : "http://localhost";
  const how = socket === undefined ? trustOptions(trust) : { createConnection: () => openSocket(socket) };
  const sessionManager = new Http2SessionManager(baseUrl, { pingIntervalMs: PING_INTERVAL_MS }, how);
  const transport = createConnectTransport({
    baseUrl,
    httpVersion: "2",
    sessionManager,
    interceptors: [withToken(token)],
    readMaxBytes: READ_MAX_BYTES,
    // Within one machine compressing costs more than it saves.
    ...(isLoopback(url) ? { acceptCompression: [] } : {}),
  });
  const explained = async (error: unknown): Promise<never> => {
    throw await explainFailure(url, error);
  };
  return {
    url,
    unary: (method, signal, timeoutMs, ...rest) =>
      transport.unary(method, signal, timeoutMs ?? UNARY_TIMEOUT_MS, ...rest).catch(explained),
    stream: (...call) => transport.stream(...call).catch(explained),
    openRequest: async (method, path, headers) => {
      const all = { ...headers, authorization: `Bearer ${token}` };
      const stream = await sessionManager.request(method, path, all, {}).catch(explained);
      return { stream, onRead: () => sessionManager.notifyResponseByteRead(stream) };
    },
    close: () => sessionManager.abort(),
  };
}

function trustOptions(trust: Trust | undefined): SecureClientSessionOptions {
  if (trust === undefined) return {};
  if ("ca" in trust) return { ca: trust.ca };
  const { fingerprint256 } = new X509Certificate(trust.certificate);
  return {
    ca: trust.certificate,
    // It is believed itself: who signed it and what name it has do not matter, that it is this one does.
    allowPartialTrustChain: true,
    checkServerIdentity: (_host, shown) =>
      shown.fingerprint256 === fingerprint256
        ? undefined
        : new Error("the engine shows another certificate than it wrote into engine.json"),
  };
}

function withToken(token: string): Interceptor {
  return (next) => (request) => {
    request.header.set("Authorization", `Bearer ${token}`);
    return next(request);
  };
}

/**
 * Looks the engine up again after a call failed, and for each stream: an engine that was started anew may listen on another
 * port, and somebody else on its old one.
 * @throws what `locate` throws, the first time.
 */
export function connectDiscovered(locate: () => EngineAddress): Connection {
  let address = locate();
  let connection = connect(address);
  let isInDoubt = false;

  const lookAgain = (): void => {
    const found = locate();
    isInDoubt = false;
    if (isDeepStrictEqual(found, address)) return;
    connection.close();
    connection = connect(found);
    address = found;
  };
  const doubt = (error: unknown): never => {
    isInDoubt ||= !(error instanceof ConnectError) || error.code !== Code.Canceled;
    throw error;
  };
  const current = (isStream: boolean): Connection => {
    try {
      if (isInDoubt || isStream) lookAgain();
    } catch (error) {
      if (isInDoubt) throw unavailable(error);
      // The file is gone and the engine may still be there.
    }
    return connection;
  };
  return {
    get url() {
      return connection.url;
    },
    unary: async (...call) =>
      current(false)
        .unary(...call)
        .catch(doubt),
    stream: async (...call) =>
      current(true)
        .stream(...call)
        .catch(doubt),
    openRequest: async (...request) =>
      current(true)
        .openRequest(...request)
        .catch(doubt),
    close: () => connection.close(),
  };
}

function unavailable(error: unknown): unknown {
  if (!(error instanceof DomainError)) return error;
  return new ConnectError(error.message, Code.Unavailable, undefined, undefined, error);
}
