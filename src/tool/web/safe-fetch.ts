import { type AgentOptions, Agent as HttpAgent, type IncomingMessage, request as requestHttp } from "node:http";
import { lookup } from "node:dns/promises";
import { Agent as HttpsAgent, request as requestHttps } from "node:https";
import { isIPv6, type LookupFunction } from "node:net";
import { type Body, readBody } from "./safe-fetch-body.ts";
import { refuseAddress } from "./web-address.ts";
import { readWebUrl, type WebUrl } from "./web-url.ts";

const MAX_REDIRECTS = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/** How pages are reached. */
export interface Web {
  /** The addresses of a name. */
  resolve(host: string): Promise<readonly string[]>;
  /** Why nothing is fetched from an address; undefined = it may be. */
  refuse(address: string): string | undefined;
  /** The proxies of a URL as Node's agents take them; undefined = it is reached directly. */
  proxyFor(url: URL): NonNullable<AgentOptions["proxyEnv"]> | undefined;
}

/** Public addresses, and those only. */
export const publicWeb: Omit<Web, "proxyFor"> = {
  resolve: async (host) => (await lookup(host, { all: true })).map(({ address }) => address),
  refuse: refuseAddress,
};

export interface FetchLimits {
  readonly maxBytes: number;
  readonly userAgent: string;
  readonly accept: string;
  readonly signal: AbortSignal;
}

/** What was answered. */
export type Page =
  | (Body & {
      readonly kind: "page";
      readonly url: URL;
      readonly status: number;
      /** The header, empty where there is none. */
      readonly contentType: string;
    })
  /** It is somewhere else, where nobody has said yes to. */
  | { readonly kind: "elsewhere"; readonly from: URL; readonly to: string };

/**
 * Fetches a page from the host that its URL names and from no other. Every address is checked before it is connected to, and
 * is the one that is connected to; that also holds for each redirect. Rejects with a message for the model.
 */
export async function safeFetch(web: Web, target: WebUrl, limits: FetchLimits): Promise<Page> {
  let current = target;
  for (let redirects = 0; ; redirects++) {
    const answer = await request(web, current, limits);
    const { location } = answer.headers;
    const status = answer.statusCode ?? 0;
    if (!REDIRECTS.has(status) || location === undefined) {
      const contentType = answer.headers["content-type"] ?? "";
      const body = await readWithin(answer, current.host, limits);
      return { kind: "page", url: current.url, status, contentType, ...body };
    }
    answer.destroy();
    if (redirects === MAX_REDIRECTS) throw new Error(`${target.host} sends on more than ${MAX_REDIRECTS} times`);
    const next = readRedirect(location, current);
    if (next.host !== target.host || (current.url.protocol === "https:" && next.url.protocol === "http:")) {
      return { kind: "elsewhere", from: current.url, to: next.url.href };
    }
    current = next;
  }
}

function readRedirect(location: string, { url, host }: WebUrl): WebUrl {
  try {
    // Servers write bytes there that are none of ASCII.
    return readWebUrl(Buffer.from(location, "latin1").toString("utf8"), url);
  } catch (error) {
    throw new Error(`${host} sends on to where nothing is fetched from: ${(error as Error).message}`, { cause: error });
  }
}

async function readWithin(answer: IncomingMessage, host: string, { maxBytes, signal }: FetchLimits): Promise<Body> {
  const stop = (): void => void answer.destroy(signal.reason as Error);
  signal.addEventListener("abort", stop, { once: true });
  try {
    signal.throwIfAborted();
    return await readBody(answer, maxBytes);
  } catch (error) {
    signal.throwIfAborted();
    if ((error as NodeJS.ErrnoException).code !== "ECONNRESET") throw error;
    throw new Error(`${host} cannot be reached: the connection was cut off`, { cause: error });
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** The head of the answer. */
async function request(web: Web, { url, host, isAddress }: WebUrl, limits: FetchLimits): Promise<IncomingMessage> {
  const { signal, userAgent, accept } = limits;
  const proxyEnv = web.proxyFor(url);
  // A proxy resolves names itself, and what is written as an address can be checked all the same.
  const addresses =
    proxyEnv !== undefined && !isAddress ? [] : await checkedAddresses(web, { url, host, isAddress }, signal);
  const isSecure = url.protocol === "https:";
  // No connection is kept: it would be used again without a look at where it leads. Without proxyEnv there may be the environment's.
  const options = { keepAlive: false, proxyEnv: proxyEnv ?? {} };
  const agent = isSecure ? new HttpsAgent(options) : new HttpAgent(options);
  const pinned = proxyEnv === undefined ? { lookup: lookupOf(addresses) } : {};
  return new Promise((resolve, reject) => {
    const sent = (isSecure ? requestHttps : requestHttp)(url, {
      agent,
      ...pinned,
      signal,
      method: "GET",
      headers: { "user-agent": userAgent, accept, "accept-encoding": "gzip, deflate, br" },
    });
    sent.once("response", resolve);
    const fail = (why: string): void => {
      reject(signal.aborted ? (signal.reason as Error) : new Error(`${host} cannot be reached: ${why}`));
    };
    sent.on("error", ({ code, message }: NodeJS.ErrnoException) => fail(code ?? message));
    // Nobody listens any more where the answer has come.
    sent.once("close", () => fail("the connection was closed"));
    sent.end();
  });
}

/** All of them, or none: a name that leads to a private address as well is not one that should be trusted with a second try. */
async function checkedAddresses(
  web: Web,
  { host, isAddress }: WebUrl,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const found = isAddress
    ? [host]
    : await untilAborted(web.resolve(host), signal).catch((error: unknown) => explainLookup(host, error, signal));
  if (found.length === 0) throw new Error(`there is no address for ${host}`);
  for (const address of found) {
    const reason = web.refuse(address);
    if (reason !== undefined) {
      const way = isAddress ? address : `${host} leads to ${address}, which`;
      throw new Error(
        `${way} is not fetched from: ${reason}. Only public hosts are; use other tools for what is local`,
      );
    }
  }
  return found;
}

function explainLookup(host: string, error: unknown, signal: AbortSignal): never {
  signal.throwIfAborted();
  const { code, message } = error as NodeJS.ErrnoException;
  const why =
    code === "ENOTFOUND"
      ? "there is no such host"
      : code === "EAI_AGAIN"
        ? "its name cannot be looked up now"
        : message;
  throw new Error(`${host} cannot be reached: ${why}`, { cause: error });
}

/** A look-up of a name cannot be given up; whoever waits for it can. */
function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
    if (signal.aborted) onAbort();
  });
}

/** Answers with what was checked, whatever it is asked. */
function lookupOf(addresses: readonly string[]): LookupFunction {
  const all = addresses.map((address) => ({ address, family: isIPv6(address) ? 6 : 4 }));
  return (_host, { all: wantsAll }, callback) => {
    const [first] = all;
    if (wantsAll === true || first === undefined) callback(null, all);
    else callback(null, first.address, first.family);
  };
}
