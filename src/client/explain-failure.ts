import { isIP } from "node:net";
import { connect as connectTls } from "node:tls";
import { Code, ConnectError } from "@connectrpc/connect";
import { DomainError } from "../errors.ts";
import { readSocketUrl } from "../listen.ts";

/** A server that says nothing for so long has no handshake to offer. */
const HANDSHAKE_TIMEOUT_MS = 1_000;
/** Where `http://` without a port leads. */
const HTTP_PORT = 80;

/**
 * What to throw in place of what failed a call, where its words say too little: nothing listens on a socket (Node's error for it
 * is taken for a broken connection), or `http://` was said to a port that speaks TLS (which looks like broken HTTP/2).
 */
export async function explainFailure(url: string, error: unknown): Promise<unknown> {
  const code = systemCodeOf(error);
  if (readSocketUrl(url) !== undefined) {
    if (code !== "ENOENT" && code !== "ECONNREFUSED") return error;
    return new ConnectError(`nothing listens on ${url}`, Code.Unavailable, undefined, undefined, error);
  }
  if (code !== "ERR_HTTP2_ERROR" || !url.startsWith("http:") || !(await speaksTls(url))) return error;
  const { hostname, port } = new URL(url);
  const secure = `https://${hostname}:${port || HTTP_PORT}`;
  return new DomainError("invalid", "INVALID_CONFIG", `the port of ${url} speaks TLS; name it as ${secure}`);
}

function systemCodeOf(error: unknown): unknown {
  const cause = error instanceof ConnectError ? error.cause : error;
  return cause instanceof Error && "code" in cause ? cause.code : undefined;
}

/** Whether a handshake succeeds, with whatever certificate: nothing is sent over it. */
function speaksTls(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, "");
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connectTls({
    host,
    port: Number(port || HTTP_PORT),
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ALPNProtocols: ["h2"],
    rejectUnauthorized: false,
  });
  socket.setTimeout(HANDSHAKE_TIMEOUT_MS, () => socket.destroy());
  socket.once("secureConnect", () => {
    resolve(true);
    socket.destroy();
  });
  // What went wrong does not matter: the first failure is told.
  socket.once("error", () => resolve(false));
  socket.once("close", () => resolve(false));
  return promise;
}
