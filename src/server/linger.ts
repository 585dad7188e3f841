import type { Clock } from "../clock.ts";
import type { Limits } from "./limits.ts";
import type { ServerReply, ServerRequest } from "./listener.ts";

export interface LingerDeps {
  readonly clock: Clock;
  readonly limits: Pick<Limits, "lingerMs">;
}

/**
 * Lets an answer arrive whose request is still being sent: what comes is thrown away for a moment, then the stream (HTTP/2) or
 * the connection (HTTP/1.1) is cut. Cut at once, as Node does by itself, some clients see the cut and not the answer.
 */
export function linger(request: ServerRequest, reply: ServerReply, deps: LingerDeps): void {
  if (request.complete) return;
  request.resume();
  onAnswered(reply, () => cutLater(request, deps));
}

/** Runs `callback` when the whole answer is on its way. The reply to an HTTP/2 request says so only once its stream is closed. */
export function onAnswered(reply: ServerReply, callback: () => void): void {
  if ("stream" in reply) reply.stream.once("finish", callback);
  else reply.once("finish", callback);
}

/** Gives a peer that has its whole answer a moment to end its request too. */
export function cutLater(request: ServerRequest, deps: LingerDeps): void {
  if (request.complete) return;
  request.resume();
  const cancel = deps.clock.after(deps.limits.lingerMs, () => {
    // The connection may be serving its next request by now.
    if (request.complete) return;
    if ("stream" in request) request.stream.close();
    else request.socket.destroy();
  });
  request.once("close", cancel).once("end", cancel);
}
