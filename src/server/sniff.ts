import type { Socket } from "node:net";
import type { Clock } from "../clock.ts";
import type { Limits } from "./limits.ts";

// RFC 9113, section 3.4: what every HTTP/2 client sends first. No HTTP/1.1 request begins so.
const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n");

// RFC 8446, section 5.1: the record type of a handshake. No HTTP begins so.
const TLS_HANDSHAKE = 22;

export interface SnifferDeps {
  readonly limits: Pick<Limits, "sniffMs" | "maxUnidentified">;
  readonly clock: Clock;
  readonly onHttp1: (socket: Socket) => void;
  readonly onHttp2: (socket: Socket) => void;
  /** Absent: a TLS handshake is taken for the broken HTTP/1.1 that it is here. */
  readonly onTls?: ((socket: Socket) => void) | undefined;
}

/** Tells a connection's protocol by its first bytes, and hands it on with those bytes put back. */
export interface Sniffer {
  accept(socket: Socket): void;
  /** How many connections have not shown their protocol yet. */
  waiting(): number;
  /** Drops them. */
  close(): void;
}

export function createSniffer(deps: SnifferDeps): Sniffer {
  // In order of arrival: the first is the oldest.
  const waiting = new Set<Socket>();

  function accept(socket: Socket): void {
    const cancelTimer = deps.clock.after(deps.limits.sniffMs, () => socket.destroy());
    let seen: Buffer = Buffer.alloc(0);

    const forget = (): void => {
      cancelTimer();
      waiting.delete(socket);
      socket.off("data", onData).off("close", forget).off("end", drop).off("error", drop);
    };
    const drop = (): void => {
      socket.destroy();
    };
    const onData = (chunk: Buffer): void => {
      seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
      const known = Math.min(seen.length, PREFACE.length);
      const isPreface = seen.compare(PREFACE, 0, known, 0, known) === 0;
      if (isPreface && known < PREFACE.length) return;
      // The next owner must find a socket as if it were new: paused, its bytes unread, no listener of ours.
      socket.pause();
      forget();
      socket.unshift(seen);
      if (deps.onTls !== undefined && seen[0] === TLS_HANDSHAKE) {
        deps.onTls(socket);
      } else if (isPreface) {
        deps.onHttp2(socket);
      } else {
        deps.onHttp1(socket);
        socket.resume();
      }
    };

    waiting.add(socket);
    socket.on("data", onData).on("close", forget).on("end", drop).on("error", drop);
    // The oldest goes, not the newest: who has said nothing for longest is the least likely to be a client.
    if (waiting.size > deps.limits.maxUnidentified) waiting.values().next().value?.destroy();
  }

  return {
    accept,
    waiting: () => waiting.size,
    close() {
      for (const socket of waiting) socket.destroy();
    },
  };
}
