import {
  constants,
  createServer,
  type Http2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
} from "node:http2";
import type { Clock } from "../clock.ts";
import type { Limits } from "./limits.ts";

/** An HTTP/2 server that is handed its connections, and the sessions it has. */
export interface SessionServer {
  readonly server: Http2Server;
  readonly sessions: ReadonlySet<ServerHttp2Session>;
}

/**
 * Makes the HTTP/2 half of the listener. What a peer can make the server do without a request is bounded here: header
 * size and count and memory by the library, continuation frames by the library (eight), and by a budget each the
 * frames that cost nothing to send: resets (CVE-2023-44487; those it provokes count too, CVE-2025-8671), PING, SETTINGS.
 */
export function createSessionServer(
  limits: Limits,
  clock: Clock,
  onRequest: (request: Http2ServerRequest, response: Http2ServerResponse) => void,
): SessionServer {
  const server = createServer(
    {
      settings: {
        maxConcurrentStreams: limits.maxStreams,
        maxHeaderListSize: limits.maxHeaderBytes,
        enablePush: false,
      },
      maxHeaderListPairs: limits.maxHeaders,
      maxSessionMemory: limits.maxSessionMemoryMb,
      streamResetBurst: limits.resetBurst,
      streamResetRate: limits.resetsPerSecond,
    },
    onRequest,
  );
  const sessions = new Set<ServerHttp2Session>();
  server.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
    boundFrames(session, limits, clock);
    closeWhenIdle(session, limits);
  });
  // A session that ends with an error has been closed by the library; the peer knows why.
  server.on("sessionError", () => {});
  return { server, sessions };
}

function boundFrames(session: ServerHttp2Session, limits: Limits, clock: Clock): void {
  const pings = createBudget(limits.pingBurst, limits.pingsPerSecond, clock);
  const settings = createBudget(limits.settingsBurst, limits.settingsPerSecond, clock);
  const resets = createBudget(limits.resetBurst, limits.resetsPerSecond, clock);
  const spend = (budget: () => boolean): void => {
    if (!budget() && !session.destroyed)
      session.destroy(new Error("too many frames"), constants.NGHTTP2_ENHANCE_YOUR_CALM);
  };
  session.on("ping", () => spend(pings));
  session.on("remoteSettings", () => spend(settings));
  session.on("stream", (stream) => {
    stream.once("close", () => {
      if (stream.rstCode !== constants.NGHTTP2_NO_ERROR) spend(resets);
    });
  });
}

/** A session without streams is closed after a while; one with an open stream lives, however quiet it is. */
function closeWhenIdle(session: ServerHttp2Session, limits: Limits): void {
  let open = 0;
  const onIdle = (): void => {
    if (open > 0) return;
    session.close();
    // A peer that has left half a frame behind must not keep it.
    session.destroy();
  };
  session.on("timeout", onIdle);
  // Node restarts the time with every frame that comes or goes.
  session.setTimeout(limits.firstStreamMs);
  session.on("stream", (stream) => {
    if (open++ === 0) session.setTimeout(0);
    stream.once("close", () => {
      if (--open === 0 && !session.destroyed) session.setTimeout(limits.idleSessionMs);
    });
  });
}

/** A token bucket: `burst` at once, `perSecond` more each second. The returned function takes one and says if it could. */
function createBudget(burst: number, perSecond: number, clock: Clock): () => boolean {
  let left = burst;
  let lastMs = clock.monotonic();
  return () => {
    if (left < 1) {
      const nowMs = clock.monotonic();
      left = Math.min(burst, left + ((nowMs - lastMs) / 1000) * perSecond);
      lastMs = nowMs;
      if (left < 1) return false;
    }
    left -= 1;
    return true;
  };
}
