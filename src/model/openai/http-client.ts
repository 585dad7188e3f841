import {
  Agent as HttpAgent,
  type ClientRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request as requestHttp,
} from "node:http";
import { Agent as HttpsAgent, request as requestHttps } from "node:https";
import type { Clock } from "../../clock.ts";
import { readBody } from "./http-body.ts";
import { type Proxies, proxyEnvOf } from "./proxies.ts";

/** What is posted. */
export interface HttpPost {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Ends the call, and later the answer. */
  readonly signal: AbortSignal;
}

/** An answer whose head has come. One of its two readers is to be called, once. */
export interface HttpAnswer {
  readonly status: number;
  readonly isOk: boolean;
  readonly headers: IncomingHttpHeaders;
  /** What comes, as it comes. */
  body(): AsyncIterableIterator<Uint8Array>;
  /** The text of an answer that is an error: what comes of it soon. */
  text(): Promise<string>;
}

/** Calls one provider. */
export interface HttpClient {
  post(url: URL, post: HttpPost): Promise<HttpAnswer>;
  /** Closes every connection, used or idle. */
  close(): void;
}

/** What undici gives a connection too; a black hole would otherwise take as long as the silence before the first token. */
const CONNECT_TIMEOUT_MS = 10_000;
/** An error's text is quoted in part only, so more of it is not read, nor waited for. */
const MAX_ERROR_BYTES = 64 * 1024;
const ERROR_BODY_TIMEOUT_MS = 5_000;

/**
 * Posts over node:http, with connections that belong to one client and can be closed. The global fetch shares them with
 * everybody, gives up by itself after 300 s of silence, and costs a quarter more per chunk of a stream (measured: 200
 * streams of 100 chunks/s). Follows no redirects: they would take the key to another host.
 */
export function createHttpClient(clock: Clock, proxies: Proxies): HttpClient {
  const options = { keepAlive: true, proxyEnv: proxyEnvOf(proxies) };
  const http = new HttpAgent(options);
  const https = new HttpsAgent(options);

  return {
    async post(url, { headers, body, signal }) {
      const head = { method: "POST", headers };
      const request =
        url.protocol === "https:"
          ? requestHttps(url, { ...head, agent: https })
          : requestHttp(url, { ...head, agent: http });
      const answer = await send(request, body, signal, clock);
      const status = answer.statusCode ?? 0;
      return {
        status,
        isOk: status >= 200 && status <= 299,
        headers: answer.headers,
        body: () => readBody(answer, clock),
        text: () => readError(answer, clock),
      };
    },
    close() {
      http.destroy();
      https.destroy();
    },
  };
}

/** Sends the request; resolves when the head of the answer is there. An abort ends it then, and later its body. */
function send(request: ClientRequest, body: string, signal: AbortSignal, clock: Clock): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => void request.destroy(signal.reason as Error);
    const cancelTimeout = clock.after(CONNECT_TIMEOUT_MS, () => {
      request.destroy(Object.assign(new Error("connection timed out"), { code: "ETIMEDOUT" }));
    });
    request.on("socket", (socket) => {
      if (!socket.connecting) cancelTimeout();
      else socket.once("connect", cancelTimeout);
    });
    request.on("response", resolve);
    request.on("error", reject);
    request.on("close", () => {
      cancelTimeout();
      signal.removeEventListener("abort", onAbort);
      // Nobody listens any more where the answer has come.
      reject(new Error("connection closed"));
    });
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
    request.end(body);
  });
}

/** Reads no more than it must, and lets go of the connection. */
function readError(answer: IncomingMessage, clock: Clock): Promise<string> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const finish = (): void => {
      cancelTimeout();
      if (!answer.complete) answer.destroy();
      resolve(Buffer.concat(chunks).subarray(0, MAX_ERROR_BYTES).toString());
    };
    const cancelTimeout = clock.after(ERROR_BODY_TIMEOUT_MS, finish);
    answer.on("data", (chunk: Buffer) => {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes >= MAX_ERROR_BYTES) finish();
    });
    answer.on("end", finish);
    answer.on("error", finish);
    answer.on("close", finish);
  });
}
