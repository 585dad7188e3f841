import { createClient, type Client, type Transport } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { MessageService } from "../../gen/ts/parley/v1/message_service_pb.ts";
import { SessionService } from "../../gen/ts/parley/v1/session_service_pb.ts";
import OpenAI from "openai";
import { modelOf, type Answer } from "../tokens.ts";

/** A server of the engine's services. */
export interface Target {
  readonly url: string;
  /** Empty for one that asks for none. */
  readonly token: string;
}

/** The services over one HTTP/2 connection. */
export interface Calls {
  /** For the services that few jobs call. */
  readonly transport: Transport;
  readonly sessions: Client<typeof SessionService>;
  readonly messages: Client<typeof MessageService>;
  close(): void;
}

/** gRPC without compression; the same for the engine and for bare connect-node. */
export function connectTo({ url, token }: Target): Calls {
  const sessionManager = new Http2SessionManager(url);
  const transport: Transport = createGrpcTransport({
    baseUrl: url,
    sessionManager,
    acceptCompression: [],
    interceptors: [
      (next) => (request) => {
        request.header.set("authorization", `Bearer ${token}`);
        return next(request);
      },
    ],
  });
  return {
    transport,
    sessions: createClient(SessionService, transport),
    messages: createClient(MessageService, transport),
    close: () => sessionManager.abort(),
  };
}

/** Several connections, each for its share of the streams, with a call made on each. */
export async function connectMany(target: Target, count: number): Promise<(index: number) => Calls> {
  const all = Array.from({ length: count }, () => connectTo(target));
  await Promise.all(all.map(({ sessions }) => sessions.createSession({ title: "bench" })));
  return (index) => all[index % count] as Calls;
}

export function connectToUpstream(url: string): OpenAI {
  return new OpenAI({ baseURL: url, apiKey: "none", maxRetries: 0 });
}

export async function createSession({ sessions }: Calls): Promise<string> {
  const { session } = await sessions.createSession({ title: "bench" });
  return session?.id ?? "";
}

export async function createSessions({ target, count }: { target: Target; count: number }): Promise<string[]> {
  const calls = connectTo(target);
  const ids: string[] = [];
  for (let i = 0; i < count; i++) ids.push(await createSession(calls));
  calls.close();
  return ids;
}

export function turnRequest(sessionId: string, answer: Answer) {
  return {
    sessionId,
    model: modelOf(answer),
    parts: [{ content: { case: "text" as const, value: "say something" } }],
  };
}
