import { connect, type Socket } from "node:net";
import { request } from "node:http";
import { connect as connectHttp2 } from "node:http2";

/** A connection that sends what it is told, byte for byte. */
export interface RawConnection {
  readonly socket: Socket;
  send(bytes: string | Uint8Array): void;
  /** Everything that came, up to now. */
  received(): Buffer;
  /** Waits until what came satisfies the condition; fails when the connection ends before. */
  until(condition: (received: Buffer) => boolean): Promise<Buffer>;
  /** Waits until the server has closed the connection, and returns everything that came. */
  closed(): Promise<Buffer>;
}

export async function openRaw(port: number, host = "127.0.0.1"): Promise<RawConnection> {
  const socket = connect({ port, host, allowHalfOpen: false });
  let received = Buffer.alloc(0);
  const over = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  // A server that cuts an attacker off resets the connection: that is an end like any other here.
  socket.on("error", () => {});
  socket.on("data", (chunk) => (received = Buffer.concat([received, chunk])));
  await new Promise<void>((resolve) => socket.once("connect", () => resolve()));
  return {
    socket,
    send: (bytes) => void socket.write(bytes),
    received: () => received,
    until(condition) {
      return new Promise((resolve, reject) => {
        const look = (): void => {
          if (condition(received)) resolve(received);
        };
        socket.on("data", look);
        void over.then(() => reject(new Error(`closed before: ${received.toString("latin1")}`)));
        look();
      });
    },
    async closed() {
      await over;
      return received;
    },
  };
}

export interface RawResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

export interface RawRequest {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

export type Fetch = (url: string, request: RawRequest) => Promise<RawResponse>;

/** One request over HTTP/1.1, with any header, `host` too. */
export const fetchHttp1: Fetch = (url, { method = "POST", path = "/", headers = {}, body }) =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url);
    const outgoing = request(
      { host: hostname.replace(/^\[|\]$/g, ""), port, method, path, headers, agent: false },
      (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
        response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }));
        response.on("error", reject);
      },
    );
    outgoing.on("error", reject);
    outgoing.end(body);
  });

/** One request over HTTP/2 with prior knowledge; `host` becomes `:authority`. */
export const fetchHttp2: Fetch = (url, { method = "POST", path = "/", headers = {}, body }) =>
  new Promise((resolve, reject) => {
    // What is waiting to be sent counts, and a large body is.
    const session = connectHttp2(url, { maxSessionMemory: 100 });
    session.on("error", reject);
    const { host = new URL(url).host, ...others } = headers;
    const stream = session.request({ ":method": method, ":path": path, ":authority": host, ...others });
    let text = "";
    let response: Omit<RawResponse, "body"> = { status: 0, headers: {} };
    stream.on("response", (all) => (response = { status: Number(all[":status"]), headers: all }));
    stream.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
    stream.on("error", reject);
    stream.on("close", () => {
      session.close();
      resolve({ ...response, body: text });
    });
    stream.end(body);
  });
