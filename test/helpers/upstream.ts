import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What a provider was asked. */
interface UpstreamRequest {
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** A provider that misbehaves as the test says. */
export interface Upstream {
  readonly baseUrl: string;
  readonly requests: UpstreamRequest[];
  /** Resolves when no connection is open. */
  idle(): Promise<void>;
  openConnections(): number;
  stop(): Promise<void>;
}

export type Respond = (response: ServerResponse, request: UpstreamRequest) => void | Promise<void>;

/** Answers the first request with the first of these, and so on; all further ones with the last. */
export async function startUpstream(...responds: readonly Respond[]): Promise<Upstream> {
  const requests: UpstreamRequest[] = [];
  let open = 0;
  const idleWaiters = new Set<() => void>();
  const answer = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const request = { url: incoming.url ?? "", headers: incoming.headers, body: Buffer.concat(chunks).toString() };
    requests.push(request);
    response.on("error", () => undefined);
    await responds[Math.min(requests.length, responds.length) - 1]?.(response, request);
  };
  // A rejection is the test's failure: nobody catches it here.
  const server = createServer((incoming, response) => void answer(incoming, response));
  server.on("connection", (socket) => {
    open++;
    socket.on("error", () => undefined);
    socket.on("close", () => {
      open--;
      if (open === 0) for (const waiter of idleWaiters) waiter();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    requests,
    idle: () => (open === 0 ? Promise.resolve() : new Promise((resolve) => idleWaiters.add(resolve))),
    openConnections: () => open,
    async stop() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** The head of an event stream. */
export function openStream(response: ServerResponse): void {
  response.writeHead(200, { "content-type": "text/event-stream" });
}

/** One event of a stream, with a delta as Chat Completions has it. */
export function chunk(delta: Record<string, unknown>, finishReason: string | null = null): string {
  return sse({ id: "c", object: "chat.completion.chunk", choices: [{ index: 0, delta, finish_reason: finishReason }] });
}

export function sse(data: unknown): string {
  return `data: ${JSON.stringify(data)}\n\n`;
}

export const DONE = "data: [DONE]\n\n";

/** Writes the same again and again until the connection is gone. `onBlocked` is told when nobody takes it. */
export async function flood(
  response: ServerResponse,
  piece: string | Uint8Array,
  onBlocked?: () => void,
): Promise<void> {
  let wake: (() => void) | undefined;
  response.on("drain", () => wake?.());
  response.on("close", () => wake?.());
  while (!response.destroyed) {
    if (response.write(piece)) continue;
    const timer = setTimeout(() => onBlocked?.(), 200);
    await new Promise<void>((resolve) => (wake = resolve));
    clearTimeout(timer);
  }
}
