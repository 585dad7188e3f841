import { join } from "node:path";
import * as grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { expectWholeTurn } from "./expected.ts";
import { ROOT, SAID, startPlace, type Place } from "./place.ts";
import { isCaughtUp, summarize, type StreamMessage } from "./programs.ts";

type Unary = (
  request: object,
  metadata: grpc.Metadata,
  callback: (error: grpc.ServiceError | null, response: never) => void,
) => void;
type Stream = (request: object, metadata: grpc.Metadata) => grpc.ClientReadableStream<StreamMessage>;
type Client = grpc.Client & Record<string, Unary & Stream>;

const deltas = (seen: readonly StreamMessage[]): number =>
  seen.filter(({ event }) => event?.textDelta !== undefined).length;
const ended = (seen: readonly StreamMessage[]): boolean => seen.some(({ event }) => event?.turnEnded !== undefined);

describe("@grpc/grpc-js, with the protos as they are in the repository", () => {
  let place: Place;
  let metadata: grpc.Metadata;
  const clients: Client[] = [];

  beforeAll(async () => {
    place = await startPlace();
    metadata = new grpc.Metadata();
    metadata.set("authorization", place.authorization);
  });
  afterAll(async () => {
    for (const client of clients) client.close();
    await place.close();
  });

  function connect(file: string, service: string): Client {
    // Names as in JSON, so that what it shows can be compared with what the others show.
    const options = {
      includeDirs: [join(ROOT, "proto")],
      longs: String,
      enums: String,
      keepCase: false,
      oneofs: false,
    };
    const loaded = grpc.loadPackageDefinition(loadSync(file, options));
    const constructor = service
      .split(".")
      .reduce<unknown>((at, name) => (at as Record<string, unknown>)[name], loaded) as grpc.ServiceClientConstructor;
    const client = new constructor(place.address, grpc.credentials.createInsecure()) as unknown as Client;
    clients.push(client);
    return client;
  }

  function unary<T>(client: Client, method: string, request: object, sent = metadata): Promise<T> {
    return new Promise((resolve, reject) => {
      client[method]!(request, sent, (error, response) => (error === null ? resolve(response) : reject(error)));
    });
  }

  async function stream(
    client: Client,
    method: string,
    request: object,
    isEnough?: (seen: readonly StreamMessage[]) => boolean,
  ): Promise<StreamMessage[]> {
    const call = client[method]!(request, metadata);
    const messages: StreamMessage[] = [];
    try {
      for await (const message of call) {
        messages.push(message as StreamMessage);
        if (isEnough?.(messages) === true) break;
      }
    } finally {
      call.cancel();
    }
    return messages;
  }

  it("makes a session, streams a turn, and watches it", async () => {
    const sessions = connect("parley/v1/session_service.proto", "parley.v1.SessionService");
    const messages = connect("parley/v1/message_service.proto", "parley.v1.MessageService");
    const { session } = await unary<{ session: { id: string } }>(sessions, "createSession", { title: "grpc-js" });
    const sent = await stream(messages, "sendMessage", { sessionId: session.id, parts: [{ text: "hello" }] });
    expectWholeTurn(summarize(sent));
    expectWholeTurn(summarize(await stream(messages, "watchSession", { sessionId: session.id }, isCaughtUp)));
    const listed = await unary<{ messages: { parts: { text: string }[] }[] }>(sessions, "listMessages", {
      sessionId: session.id,
    });
    expect(listed.messages.map(({ parts }) => parts[0]?.text)).toEqual(["hello", SAID]);
  });

  it("goes on watching from where it was cut off, in the middle of an answer", async () => {
    const sessions = connect("parley/v1/session_service.proto", "parley.v1.SessionService");
    const messages = connect("parley/v1/message_service.proto", "parley.v1.MessageService");
    const { session } = await unary<{ session: { id: string } }>(sessions, "createSession", {});
    await unary(messages, "startTurn", { sessionId: session.id, parts: [{ text: "hello" }] });
    const first = await stream(
      messages,
      "watchSession",
      { sessionId: session.id },
      (seen) => deltas(seen) >= 2 || ended(seen),
    );
    const afterSeq = first.at(-1)?.event?.seq;
    expect(Number(afterSeq)).toBeGreaterThan(1);
    const rest = await stream(messages, "watchSession", { sessionId: session.id, afterSeq }, ended);
    expectWholeTurn(summarize([...first, ...rest]));
  });

  it("checks the health of the engine, and watches it", async () => {
    const health = connect("grpc/health/v1/health.proto", "grpc.health.v1.Health");
    const anonymous = new grpc.Metadata();
    expect(await unary(health, "check", { service: "" }, anonymous)).toMatchObject({ status: "SERVING" });
    expect(await unary(health, "check", { service: "parley.v1.MessageService" }, anonymous)).toMatchObject({
      status: "SERVING",
    });
    await expect(unary(health, "check", { service: "nobody" }, anonymous)).rejects.toMatchObject({
      code: grpc.status.NOT_FOUND,
    });
    expect(await stream(health, "watch", { service: "" }, () => true)).toMatchObject([{ status: "SERVING" }]);
  });

  it("is told code and details of a refusal", async () => {
    const sessions = connect("parley/v1/session_service.proto", "parley.v1.SessionService");
    const refused = await unary(sessions, "getSession", { sessionId: "ses_none" }).catch(
      (error: unknown) => error as grpc.ServiceError,
    );
    expect(refused).toMatchObject({ code: grpc.status.NOT_FOUND, details: "there is no session ses_none" });
    const [status] = (refused as grpc.ServiceError).metadata.get("grpc-status-details-bin");
    expect(status?.toString()).toContain("SESSION_NOT_FOUND");
    await expect(unary(sessions, "getSession", { sessionId: "x" }, new grpc.Metadata())).rejects.toMatchObject({
      code: grpc.status.UNAUTHENTICATED,
    });
  });
});
