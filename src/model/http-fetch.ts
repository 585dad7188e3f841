import { Agent as HttpAgent, type ClientRequest, type IncomingMessage, request as requestHttp } from "node:http";
import { Agent as HttpsAgent, request as requestHttps } from "node:https";
import type { Clock } from "../clock.ts";
import { readBody } from "./http-body.ts";
import { type Proxies, proxyEnvOf } from "./proxies.ts";

/** What a provider's package calls instead of the global fetch. */
export interface HttpFetch {
  fetch(input: string | URL | Request, init?: RequestInit): Promise<Response>;
  /** Closes every connection, used or idle. */
  close(): void;
}

/** What undici gives a connection too; a black hole would otherwise take as long as the silence before the first token. */
const CONNECT_TIMEOUT_MS = 10_000;
/** An error's text is quoted in part only, so more of it is not read, nor waited for. */
const MAX_ERROR_BYTES = 64 * 1024;
const ERROR_BODY_TIMEOUT_MS = 5_000;

/**
 * A fetch over node:http whose connections belong to one client and can be closed. The global one shares them with
 * everybody, gives up by itself after 300 s of silence, and costs a quarter more per chunk of a stream (measured: 200
 * streams of 100 chunks/s). Follows no redirects: they would take the key to another host.
 */
export function createHttpFetch(clock: Clock, proxies: Proxies): HttpFetch {
  const options = { keepAlive: true, proxyEnv: proxyEnvOf(proxies) };
  const http = new HttpAgent(options);
  const https = new HttpsAgent(options);

  async function fetch(input: string | URL | Request, init: RequestInit = {}): Promise<Response> {
    const url = new URL(input instanceof Request ? input.url : input);
    const head = { method: init.method ?? "GET", headers: Object.fromEntries(new Headers(init.headers)) };
    const request =
      url.protocol === "https:"
        ? requestHttps(url, { ...head, agent: https })
        : requestHttp(url, { ...head, agent: http });
    const answer = await send(request, init, clock);
    const status = answer.statusCode ?? 0;
    const answerHead = { status, headers: toHeaders(answer) };
    if (status < 200 || status > 299) return new Response(await readError(answer, clock), answerHead);
    // A Response takes only a web stream as its body, which costs more than all the rest; the package wants an iterable.
    return Object.defineProperty(new Response(null, answerHead), "body", { value: readBody(answer, clock) });
  }

  return {
    fetch,
    close() {
      http.destroy();
      https.destroy();
    },
  };
}

/** Sends the request; resolves when the head of the answer is there. An abort ends it then, and later its body. */
function send(request: ClientRequest, { signal, body }: RequestInit, clock: Clock): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => void request.destroy(signal?.reason as Error);
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
      signal?.removeEventListener("abort", onAbort);
      // Nobody listens any more where the answer has come.
      reject(new Error("connection closed"));
    });
    if (signal?.aborted === true) onAbort();
    else signal?.addEventListener("abort", onAbort, { once: true });
    request.end(body);
  });
}

function toHeaders(answer: IncomingMessage): Headers {
  const headers = new Headers();
  for (const [name, values] of Object.entries(answer.headersDistinct)) {
    for (const value of values ?? []) headers.append(name, value);
  }
  return headers;
}

/** The text of an answer that is an error: what comes of it soon. */
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
