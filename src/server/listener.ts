import {
  createServer as createHttp1Server,
  type IncomingMessage,
  type Server as Http1Server,
  type ServerResponse,
} from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { systemClock, type Clock } from "../clock.ts";
import { DomainError } from "../errors.ts";
import { type ListenAddress, type TcpAddress, urlHost } from "../listen.ts";
import { createSessionServer } from "./http2-server.ts";
import { defaultLimits, type Limits } from "./limits.ts";
import { createSniffer } from "./sniff.ts";
import type { Credentials } from "./tls-files.ts";
import { createTlsServer } from "./tls-server.ts";
import { listenOnSocket } from "./unix-socket.ts";

export type ServerRequest = IncomingMessage | Http2ServerRequest;
export type ServerReply = ServerResponse | Http2ServerResponse;

export interface ListenerDeps {
  readonly onRequest: (request: ServerRequest, reply: ServerReply) => void;
  readonly limits?: Partial<Limits>;
  readonly clock?: Clock;
  /** Set: TLS and nothing else. */
  readonly credentials?: Credentials | undefined;
}

/** Where a listener listens. `url` can be typed into a client as it is. */
export interface Address {
  /** Empty for a socket in the file system. */
  readonly host: string;
  /** 0 for a socket in the file system. */
  readonly port: number;
  readonly url: string;
}

/** HTTP/1.1 and HTTP/2 on one port or socket, in the clear or over TLS. */
export interface Listener {
  /**
   * @throws DomainError unavailable (`PORT_IN_USE`, `PORT_NOT_ALLOWED`), invalid (`HOST_NOT_AVAILABLE`), and what
   * `listenOnSocket` throws.
   */
  listen(where: ListenAddress): Promise<Address>;
  /** Shows these to who connects from now on. Only where it was made with some. */
  setCredentials(credentials: Credentials): void;
  /** Takes no more connections, waits for open requests at most `graceMs`, then cuts what is left. Never hangs. */
  close(options: { readonly graceMs: number }): Promise<void>;
  /** How many connections are open, of whatever protocol. */
  connections(): number;
}

export function createListener(deps: ListenerDeps): Listener {
  const limits = { ...defaultLimits, ...deps.limits };
  const clock = deps.clock ?? systemClock;
  const sockets = new Set<Socket>();
  const onRequest = (request: ServerRequest, reply: ServerReply): void => {
    // Without a listener the error of a broken HTTP/2 stream would end the process.
    request.on("error", ignore);
    reply.on("error", ignore);
    deps.onRequest(request, reply);
  };

  const http1 = createHttp1Half(limits, onRequest);
  const http2 = createSessionServer(limits, clock, onRequest);
  const onHttp1 = (socket: Socket): void => void http1.emit("connection", socket);
  const onHttp2 = (socket: Socket): void => {
    // HTTP/2 knows no half-open connection; left as it is, a peer's FIN would keep the socket.
    socket.allowHalfOpen = false;
    http2.server.emit("connection", socket);
  };
  const { credentials } = deps;
  const tls = credentials && createTlsServer({ credentials, limits, clock, onHttp1, onHttp2 });
  const sniffer = createSniffer(
    tls === undefined
      ? { limits, clock, onHttp1, onHttp2 }
      : { limits, clock, onHttp1: refusePlain, onHttp2: refusePlain, onTls: tls.accept },
  );

  // Half-open, as http.Server has it: an HTTP/1.1 client may end its side and still read the answer.
  const server = createServer(
    { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 },
    (socket) => {
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
      sniffer.accept(socket);
    },
  );
  server.maxConnections = limits.maxConnections;

  return {
    listen: (where) => listen(server, where, tls === undefined ? "http" : "https"),
    setCredentials: (next) => tls?.setCredentials(next),
    connections: () => sockets.size,
    async close({ graceMs }) {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      sniffer.close();
      tls?.close();
      // What is open ends with its answer; a connection kept for a next request ends now.
      http1.keepAliveTimeout = 1;
      http1.keepAliveTimeoutBuffer = 0;
      http1.close();
      for (const session of http2.sessions) session.close();
      const cancelCut = clock.after(graceMs, () => {
        for (const socket of sockets) socket.destroy();
      });
      await closed;
      cancelCut();
      // The server forgets a socket when it is destroyed, a tick before its owner hears of it.
      await Promise.all([...sockets].map((socket) => new Promise((resolve) => socket.once("close", resolve))));
    },
  };
}

function createHttp1Half(
  limits: Limits,
  onRequest: (request: IncomingMessage, reply: ServerResponse) => void,
): Http1Server {
  const server = createHttp1Server(
    {
      maxHeaderSize: limits.maxHeaderBytes,
      // Node wants the part to be no longer than the whole.
      headersTimeout: Math.min(limits.headersMs, limits.requestMs),
      requestTimeout: limits.requestMs,
      keepAliveTimeout: limits.keepAliveMs,
      // How late the two limits above may be noticed; Node's default is half a minute.
      connectionsCheckingInterval: Math.max(10, Math.min(1_000, Math.floor(limits.headersMs / 4))),
    },
    onRequest,
  );
  server.maxHeadersCount = limits.maxHeaders;
  // A server that does not listen itself watches no time limits and knows no connections until it is told this.
  server.emit("listening");
  return server;
}

/** What speaks HTTP without TLS is told so in the words it understands; an HTTP/2 client sees that this is none. */
function refusePlain(socket: Socket): void {
  const body = "this port speaks TLS; use https://\n";
  socket.on("error", ignore).resume();
  socket.end(
    `HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: text/plain\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    () => socket.destroySoon(),
  );
}

async function listen(server: Server, where: ListenAddress, scheme: "http" | "https"): Promise<Address> {
  if ("path" in where) {
    await listenOnSocket(server, where.path);
  } else {
    await listenOnPort(server, where);
  }
  // After this an accept that failed (no descriptors left) is that one client's loss.
  server.on("error", ignore);
  if ("path" in where) return { host: "", port: 0, url: `unix:${where.path}` };
  const { port } = server.address() as AddressInfo;
  return { host: where.host, port, url: `${scheme}://${urlHost(ownHost(where.host))}:${port}` };
}

function listenOnPort(server: Server, where: TcpAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException): void => reject(listenError(error, where));
    server.once("error", onError);
    server.listen({ host: where.host, port: where.port }, () => {
      server.off("error", onError);
      resolve();
    });
  });
}

function listenError(error: NodeJS.ErrnoException, { host, port }: TcpAddress): Error {
  const where = `${urlHost(host)}:${port}`;
  switch (error.code ?? "") {
    case "EADDRINUSE":
      return new DomainError(
        "unavailable",
        "PORT_IN_USE",
        `${where} is in use; stop what listens there, or choose another port with --port (0 = a free one)`,
        { host, port: `${port}` },
        { cause: error },
      );
    case "EACCES":
      return new DomainError(
        "unavailable",
        "PORT_NOT_ALLOWED",
        `this user may not listen on ${where}; choose a port above 1023 with --port`,
        { host, port: `${port}` },
        { cause: error },
      );
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
    case "EAI_AGAIN":
    case "EAFNOSUPPORT":
    case "EINVAL":
      return new DomainError(
        "invalid",
        "HOST_NOT_AVAILABLE",
        `${host} is not an address of this machine; choose another one with --host (127.0.0.1 = this machine only)`,
        { host },
        { cause: error },
      );
    default:
      return error;
  }
}

/** An address to call where the one to listen on stands for all of them. */
function ownHost(host: string): string {
  if (host === "0.0.0.0") return "127.0.0.1";
  return host === "::" ? "::1" : host;
}

function ignore(): void {}
