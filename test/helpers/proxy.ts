import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";

/** An HTTP proxy: passes requests on, and makes tunnels. */
export interface TestProxy {
  readonly url: string;
  /** What it was asked for, as `GET http://host/path` or `CONNECT host:port`. */
  readonly asked: string[];
  /** Of each, what the caller said of itself. */
  readonly authorizations: (string | undefined)[];
  close(): Promise<void>;
}

/** Whatever a caller asks for, it gets to this port of this machine: names need not exist. */
export async function startProxy(targetPort: number): Promise<TestProxy> {
  const asked: string[] = [];
  const authorizations: (string | undefined)[] = [];
  const sockets = new Set<Duplex>();
  const note = ({ method, url, headers }: IncomingMessage): void => {
    asked.push(`${method} ${url}`);
    authorizations.push(headers["proxy-authorization"]);
  };
  const server = createServer((incoming, outgoing) => {
    note(incoming);
    passOn(incoming, outgoing, targetPort);
  });
  server.on("connect", (incoming: IncomingMessage, socket: Socket) => {
    note(incoming);
    sockets.add(socket);
    const target = connect(targetPort, "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 Connection Established\r\n\r\n");
      target.pipe(socket).pipe(target);
    });
    for (const one of [target, socket]) one.on("error", () => (target.destroy(), socket.destroy()));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    authorizations,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function passOn(incoming: IncomingMessage, outgoing: ServerResponse, port: number): void {
  const { pathname, search } = new URL(incoming.url ?? "");
  const { method = "GET", headers } = incoming;
  const onward = request({ host: "127.0.0.1", port, method, headers, path: pathname + search, agent: false });
  onward.on("response", (answer) => {
    outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(outgoing);
  });
  onward.on("error", () => outgoing.destroy());
  incoming.pipe(onward);
}
