import { isIP, isIPv6 } from "node:net";
import { isAbsolute, resolve } from "node:path";
import { DomainError } from "./errors.ts";

/** A port of an address of this machine; port 0 = a free one. */
export interface TcpAddress {
  readonly host: string;
  readonly port: number;
}

/** A socket in the file system. */
export interface SocketAddress {
  /** Absolute. */
  readonly path: string;
}

export type ListenAddress = TcpAddress | SocketAddress;

/** PEM files: the certificate with those that lead to its CA, and its private key. */
export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/**
 * The longest path of a socket in bytes: `sun_path` of sockaddr_un without its end, which is 108 on Linux (unix(7)) and
 * 104 elsewhere. A longer one would be cut, and be another path.
 */
const MAX_SOCKET_PATH_BYTES = process.platform === "linux" ? 107 : 103;

/** Reads `unix:PATH` or `tcp:HOST:PORT`. Throws DomainError `INVALID_CONFIG` that names `source`. */
export function readListenAddress(text: string, source: string): ListenAddress {
  const path = readSocketUrl(text);
  if (path !== undefined) return { path: checkSocketPath(path, source) };
  const match = /^tcp:(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host !== undefined && port <= 65_535) return { host, port };
  throw invalidConfig(
    `${source} is ${text}; write it like unix:/run/user/1000/parley/engine.sock, tcp:127.0.0.1:7433 or tcp:[::1]:7433`,
  );
}

/** The absolute path in `unix:PATH` (or `unix://PATH`, as gRPC has it too); undefined where the text is something else. */
export function readSocketUrl(text: string): string | undefined {
  const path = /^unix:(?:\/\/(?=\/))?([^\0]+)$/.exec(text)?.[1];
  if (path === undefined) return undefined;
  return isAbsolute(path) ? path : resolve(path);
}

function checkSocketPath(path: string, source: string): string {
  const bytes = Buffer.byteLength(path);
  if (bytes <= MAX_SOCKET_PATH_BYTES) return path;
  throw invalidConfig(
    `${source}: the path ${path} has ${bytes} bytes, a socket's may have ${MAX_SOCKET_PATH_BYTES}; name a shorter one`,
  );
}

/**
 * Keeps the port to this machine unless the way to it is safe: whoever reads the wire has the token.
 * @throws DomainError invalid `LISTEN_INSECURE`.
 */
export function checkListenIsSafe(
  addresses: readonly ListenAddress[],
  how: { readonly tls: unknown; readonly allowInsecureRemote: boolean },
): void {
  if (how.tls !== undefined || how.allowInsecureRemote) return;
  const remote = addresses.find((address) => "host" in address && !isLoopbackHost(address.host));
  if (remote === undefined || !("host" in remote)) return;
  throw new DomainError(
    "invalid",
    "LISTEN_INSECURE",
    `${remote.host} can be reached from other machines, and without TLS anybody on the way could read the token and the conversations; give --tls-cert FILE and --tls-key FILE, or --allow-insecure-remote where the way is safe, such as behind a proxy that speaks TLS`,
    { host: remote.host },
  );
}

/** Whether only this machine reaches an address. Other names than localhost count as remote: they may be anything. */
function isLoopbackHost(host: string): boolean {
  const name = host.toLowerCase();
  if (name === "localhost" || name === "::1" || name === "::ffff:127.0.0.1") return true;
  return isIP(name) === 4 && name.startsWith("127.");
}

/** As it stands in a URL. */
export function urlHost(host: string): string {
  return isIPv6(host) ? `[${host}]` : host;
}

function invalidConfig(message: string): DomainError {
  return new DomainError("invalid", "INVALID_CONFIG", message);
}
