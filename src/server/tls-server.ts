import type { Socket } from "node:net";
import { createServer, type TLSSocket } from "node:tls";
import type { Clock } from "../clock.ts";
import type { Limits } from "./limits.ts";
import type { Credentials } from "./tls-files.ts";

export interface TlsServerDeps {
  readonly credentials: Credentials;
  readonly limits: Pick<Limits, "sniffMs" | "maxUnidentified">;
  readonly clock: Clock;
  readonly onHttp1: (socket: TLSSocket) => void;
  readonly onHttp2: (socket: TLSSocket) => void;
}

/** Shakes hands on the connections that it is given, and hands them on by the protocol that was agreed on (ALPN). */
export interface TlsServer {
  accept(socket: Socket): void;
  /** For connections from now on. */
  setCredentials(credentials: Credentials): void;
  /** Drops those whose handshake is not done. */
  close(): void;
}

export function createTlsServer(deps: TlsServerDeps): TlsServer {
  // In order of arrival, by where they come from: the library gives no way from a secured socket to the one below it.
  const shaking = new Map<string, { readonly socket: Socket; readonly done: () => void }>();
  const server = createServer({
    ...secretsOf(deps.credentials),
    // RFC 7301. A client that names neither is refused in the handshake; one that names nothing gets HTTP/1.1.
    ALPNProtocols: ["h2", "http/1.1"],
    minVersion: "TLSv1.2",
  });
  server.on("secureConnection", (socket) => {
    shaking.get(placeOf(socket))?.done();
    if (socket.alpnProtocol === "h2") deps.onHttp2(socket);
    else deps.onHttp1(socket);
  });
  // Where it failed, the peer has been told by an alert.
  server.on("tlsClientError", (_error, socket) => socket.destroy());

  return {
    accept(socket) {
      const place = placeOf(socket);
      // A deadline, not a time of silence: a byte now and then must not hold a connection.
      const cancelTimer = deps.clock.after(deps.limits.sniffMs, () => socket.destroy());
      const done = (): void => {
        cancelTimer();
        shaking.delete(place);
        socket.off("close", done);
      };
      shaking.set(place, { socket, done });
      socket.on("close", done).on("error", ignore);
      if (shaking.size > deps.limits.maxUnidentified) shaking.values().next().value?.socket.destroy();
      server.emit("connection", socket);
    },
    setCredentials: (credentials) => server.setSecureContext({ ...secretsOf(credentials), minVersion: "TLSv1.2" }),
    close() {
      for (const { socket } of shaking.values()) socket.destroy();
    },
  };
}

function secretsOf({ cert, key }: Credentials): { readonly cert: string; readonly key: string } {
  return { cert, key };
}

/** No two open connections of one port come from the same place. */
function placeOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

function ignore(): void {}
