import { toJson } from "@bufbuild/protobuf";
import { createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { EventSchema, MessageService, type Event } from "../../src/client/client.ts";
import { chunk, DONE, openStream, type Respond, startUpstream, type Upstream } from "../helpers/upstream.ts";
import { createSession, noReaders, readUntil, replay, runTurn, text } from "./observe.ts";
import { startTestEngine, type TestEngine } from "./test-engine.ts";

/** Pieces of text may be merged for one and not for the other. */
function facts(events: readonly Event[]): unknown[] {
  return asJson(events.filter(({ payload }) => payload.case !== "textDelta"));
}

/** What a model says, and is told: small messages, and such as the framework compresses, between one another. */
const SAID = ["größe 😀", "a long text, ".repeat(300), "and", "ü".repeat(600), "the end"];

let upstream: Upstream;
let engine: TestEngine;
let sessionId: string;
beforeAll(async () => {
  upstream = await startUpstream(
    ...SAID.map((said): Respond => (response) => {
      openStream(response);
      response.end(chunk({ content: said }) + chunk({}, "stop") + DONE);
    }),
  );
  engine = await startTestEngine({ openai: upstream.baseUrl });
  sessionId = (await createSession(engine)).id;
  for (const words of SAID) await runTurn(engine, sessionId, words);
});
afterAll(async () => {
  await engine.dispose();
  await upstream.stop();
});

type Options = { baseUrl: string; interceptors: Interceptor[]; useBinaryFormat: boolean };

const PROTOCOLS: Readonly<Record<string, (options: Options) => Transport>> = {
  "Connect over HTTP/1.1": (options) => createConnectTransport({ ...options, httpVersion: "1.1" }),
  "Connect over HTTP/2": (options) => createConnectTransport({ ...options, httpVersion: "2" }),
  gRPC: (options) => createGrpcTransport(options),
  "gRPC-Web over HTTP/1.1": (options) => createGrpcWebTransport({ ...options, httpVersion: "1.1" }),
  "gRPC-Web over HTTP/2": (options) => createGrpcWebTransport({ ...options, httpVersion: "2" }),
  // Those above accept compressed messages, as clients do unless told otherwise.
  "gRPC without compression": (options) => createGrpcTransport({ ...options, acceptCompression: [] }),
  "Connect over HTTP/1.1 without compression": (options) =>
    createConnectTransport({ ...options, httpVersion: "1.1", acceptCompression: [] }),
};

const CASES = Object.keys(PROTOCOLS).flatMap((protocol) =>
  [true, false].map(
    (useBinaryFormat) => [`${protocol}, ${useBinaryFormat ? "binary" : "JSON"}`, protocol, useBinaryFormat] as const,
  ),
);

function connect(protocol: string, useBinaryFormat: boolean) {
  const showToken: Interceptor = (next) => (request) => {
    request.header.set("authorization", `Bearer ${engine.token}`);
    return next(request);
  };
  const options = { baseUrl: engine.url, interceptors: [showToken], useBinaryFormat };
  return createClient(MessageService, PROTOCOLS[protocol]!(options));
}

function asJson(events: readonly Event[]): unknown[] {
  return events.map((event) => toJson(EventSchema, event));
}

describe.each(CASES)("%s", (_name, protocol, useBinaryFormat) => {
  it("replays a log as every other protocol does", async () => {
    const client = connect(protocol, useBinaryFormat);
    const { events, checkpoints } = await readUntil(
      (signal) => client.watchSession({ sessionId }, { signal }),
      (_seen, { payload }) => payload.case === "checkpoint" && payload.value.caughtUp,
    );
    expect(asJson(events)).toEqual(asJson(await replay(engine, sessionId)));
    expect(checkpoints.map(({ caughtUp }) => caughtUp)).toEqual([false, true]);
  });

  it("gives a turn to who started it and to who watches, each number once, and ends with it", async () => {
    const { id } = await createSession(engine);
    const client = connect(protocol, useBinaryFormat);
    const watched = readUntil(
      (signal) => client.watchSession({ sessionId: id }, { signal }),
      (_seen, { payload }) => payload.case === "event" && payload.value.payload.case === "turnEnded",
    );
    const { events } = await readUntil((signal) =>
      client.sendMessage({ sessionId: id, parts: text(SAID[1]!) }, { signal }),
    );
    expect(events.at(-1)?.payload.case).toBe("turnEnded");
    const seen = (await watched).events;
    for (const all of [events, seen]) {
      const numbers = all.map(({ seq }) => seq);
      expect(numbers).toEqual(numbers.toSorted((a, b) => Number(a - b)));
      expect(new Set(numbers).size).toBe(numbers.length);
    }
    expect(facts(events)).toEqual(facts(seen.filter(({ seq }) => seq >= events[0]!.seq)));
    await noReaders(engine);
  });
});
