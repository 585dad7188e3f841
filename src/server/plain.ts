import { fastify } from "fastify";
import { refusePath } from "./http-refusal.ts";
import type { ServerReply, ServerRequest } from "./listener.ts";

export type PlainHandler = (request: ServerRequest, reply: ServerReply) => void;

/**
 * What is served beside the RPCs. Loaded with the first request for it: fastify takes longer to start than everything else
 * in the server together (150 ms of 500 from packages), and no RPC passes through it.
 */
export async function createPlainHandler(deps: { readonly isReady: () => boolean }): Promise<PlainHandler> {
  const app = fastify({ logger: false });
  app.setNotFoundHandler((request, reply) => {
    reply.hijack();
    refusePath(reply.raw, request.url);
  });
  // Open to everyone, so they say nothing but this.
  app.get("/healthz", (_request, reply) => reply.type("text/plain").send("ok\n"));
  app.get("/readyz", (_request, reply) => {
    const ready = deps.isReady();
    return reply
      .code(ready ? 200 : 503)
      .type("text/plain")
      .send(ready ? "ok\n" : "not ready\n");
  });
  await app.ready();
  return (request, reply) => app.routing(request as never, reply as never);
}
