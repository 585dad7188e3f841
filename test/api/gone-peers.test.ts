import { afterEach, beforeEach, expect, it } from "vitest";
import { openHttp1Watch, openHttp2Watches, type Protocol, type Where } from "../faults/raw-watch.ts";
import { createSession, endOf, noReaders, text } from "./observe.ts";
import { startTestEngine, type TestEngine } from "./test-engine.ts";

// Each test ends with an error where the engine has logged one: a peer that is gone is nothing to be told of.

let engine: TestEngine;
beforeEach(async () => {
  engine = await startTestEngine();
});
afterEach(() => engine.dispose());

const READERS = 4;

type Open = (where: Where) => Promise<() => unknown>;

/** Ways to be a reader that is gone from one moment to the next. */
const WAYS: Readonly<Record<string, Open>> = {
  "HTTP/1.1, closed": async (where) => {
    const socket = await openHttp1Watch(where);
    return () => socket.destroy();
  },
  "HTTP/1.1, reset": async (where) => {
    const socket = await openHttp1Watch(where);
    return () => socket.resetAndDestroy();
  },
  "HTTP/2, connection ended": async (where) => {
    const { session } = await openHttp2Watches(where, 1);
    return () => session.destroy();
  },
  "HTTP/2, connection closed": async (where) => {
    const { socket } = await openHttp2Watches(where, 1);
    return () => socket.destroy();
  },
  "HTTP/2, connection reset": async (where) => {
    const { socket } = await openHttp2Watches(where, 1);
    return () => socket.resetAndDestroy();
  },
  "HTTP/2, stream reset": async (where) => {
    const { session, streams } = await openHttp2Watches(where, 1);
    return () => {
      for (const stream of streams) stream.close(8);
      session.close();
    };
  },
};

const cases = (["connect", "grpc", "grpc-web"] as const).flatMap((protocol: Protocol) =>
  Object.entries(WAYS)
    // gRPC needs HTTP/2.
    .filter(([way]) => protocol !== "grpc" || way.startsWith("HTTP/2"))
    .map(([way, open]) => [protocol, way, open] as const),
);

it.each(cases)(
  "readers that read nothing and are gone in the middle are no errors: %s over %s",
  async (protocol, _way, open) => {
    const { id: sessionId } = await createSession(engine, { profile: "demo" });
    const where = { url: engine.url, token: engine.token, sessionId, protocol };
    const early = await Promise.all(Array.from({ length: READERS }, () => open(where)));
    const late = await Promise.all(Array.from({ length: READERS }, () => open(where)));
    const { turn } = await engine.messages.startTurn({
      sessionId,
      parts: text("write 30000 words as fast as you can"),
    });
    // Some while it is said, some with all of it before them.
    setImmediate(() => early.forEach((leave) => leave()));
    await endOf(engine, turn);
    late.forEach((leave) => leave());
    await noReaders(engine);
    expect((await engine.engine.getStatus({})).readers).toBe(0);
  },
);
