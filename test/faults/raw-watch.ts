import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2 } from "node:http2";
import { connect as connectTcp, type Socket } from "node:net";
import type { Event } from "../../gen/ts/parley/v1/event_pb.ts";
import { WatchSessionRequestSchema, WatchSessionResponseSchema } from "../../gen/ts/parley/v1/message_service_pb.ts";

// Watchers that no client library would be: they leave their window closed, stop reading, or are gone without a word.

const PATH = "/parley.v1.MessageService/WatchSession";

export interface Where {
  readonly url: string;
  readonly token: string;
  readonly sessionId: string;
  /** Connect unless told. */
  readonly protocol?: Protocol;
}

export type Protocol = "connect" | "grpc" | "grpc-web";

/** The windows of a client that has room for so much that it never sends more. */
const SMALL_WINDOW_BYTES = 1024;

/** Watches over one HTTP/2 connection. Their first bytes have come when this resolves; nothing is read unless one reads. */
export async function openHttp2Watches(where: Where, count: number): Promise<Http2Watches> {
  const { hostname, port } = new URL(where.url);
  const socket = connectTcp(Number(port), hostname);
  const settings = { initialWindowSize: SMALL_WINDOW_BYTES };
  const session = connectHttp2(where.url, { settings, createConnection: () => socket });
  session.on("error", ignore);
  const streams = await Promise.all(
    Array.from({ length: count }, () => {
      const stream = session.request({
        ":method": "POST",
        ":path": PATH,
        ...headersOf(where),
        authorization: `Bearer ${where.token}`,
      });
      stream.on("error", ignore);
      stream.end(envelope(where.sessionId));
      return new Promise<ClientHttp2Stream>((resolve, reject) => {
        stream.once("response", (headers) => {
          if (headers[":status"] === 200) resolve(stream);
          else reject(new Error(`status ${headers[":status"]}`));
        });
        stream.once("close", () => reject(new Error("the watch was refused")));
      });
    }),
  );
  return { session, streams, socket };
}

export interface Http2Watches {
  readonly session: ClientHttp2Session;
  readonly streams: readonly ClientHttp2Stream[];
  /** What all of it goes over. */
  readonly socket: Socket;
}

function headersOf({ protocol = "connect" }: Where): Record<string, string> {
  if (protocol === "connect") return { "content-type": "application/connect+proto", "connect-protocol-version": "1" };
  return { "content-type": `application/${protocol}+proto`, te: "trailers" };
}

/** One watch over an HTTP/1.1 connection of its own; resolves with its first bytes and is paused then. */
export async function openHttp1Watch(where: Where): Promise<Socket> {
  const { hostname, port } = new URL(where.url);
  const socket = connectTcp(Number(port), hostname);
  socket.on("error", ignore);
  const body = envelope(where.sessionId);
  socket.write(
    [
      `POST ${PATH} HTTP/1.1`,
      `Host: ${hostname}:${port}`,
      `Authorization: Bearer ${where.token}`,
      ...Object.entries(headersOf(where)).map(([name, value]) => `${name}: ${value}`),
      `Content-Length: ${body.length}`,
      "\r\n",
    ].join("\r\n"),
  );
  socket.write(body);
  return new Promise((resolve, reject) => {
    socket.once("data", (bytes: Buffer) => {
      socket.pause();
      if (bytes.toString("latin1").startsWith("HTTP/1.1 200")) resolve(socket);
      else reject(new Error(`the watch was refused: ${bytes.toString()}`));
    });
  });
}

/** Reads the events of a watch over HTTP/2 until one of them is the last. */
export async function readEvents(stream: ClientHttp2Stream, isLast: (event: Event) => boolean): Promise<Event[]> {
  const events: Event[] = [];
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (rest.length >= 5 && rest.length >= 5 + rest.readUInt32BE(1)) {
      const size = rest.readUInt32BE(1);
      const { payload } = fromBinary(WatchSessionResponseSchema, rest.subarray(5, 5 + size));
      rest = rest.subarray(5 + size);
      if (payload.case !== "event") continue;
      events.push(payload.value);
      if (isLast(payload.value)) return events;
    }
  }
  throw new Error("the stream ended before its last event");
}

/** Connect's frame of a message: a byte of flags, four of length. */
function envelope(sessionId: string): Buffer {
  const message = toBinary(WatchSessionRequestSchema, create(WatchSessionRequestSchema, { sessionId }));
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

function ignore(): void {}
