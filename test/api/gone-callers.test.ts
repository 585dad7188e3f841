import { createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { afterEach, beforeEach, expect, it } from "vitest";
import { ServerReflection } from "../../gen/ts/grpc/reflection/v1/reflection_pb.ts";
import { MessageService } from "../../src/client/client.ts";
import { plainTransport } from "./methods.ts";
import { createSession, noReaders, readUntil, text } from "./observe.ts";
import { startTestEngine, type TestEngine } from "./test-engine.ts";

let engine: TestEngine;
beforeEach(async () => {
  engine = await startTestEngine();
});
afterEach(() => engine.dispose());

it.each(["HTTP/1.1", "HTTP/2"])(
  "a sender that leaves while its turn streams leaves nothing behind, over %s",
  async (version) => {
    const messages = version === "HTTP/2" ? engine.messages : createClient(MessageService, plainTransport(engine));
    for (let round = 0; round < 100; round++) {
      const { id: sessionId } = await createSession(engine);
      const parts = text("echo: one two three, as fast as you can");
      // After the first message, the second, and so on: in the middle of whatever is being written.
      let seen = 0;
      await readUntil(
        (signal) => messages.sendMessage({ sessionId, parts }, { signal }),
        () => ++seen > round % 5,
      );
    }
    await noReaders(engine);
    expect((await engine.engine.getStatus({})).readers).toBe(0);
  },
);

it("a caller whose connection is cut while it asks for reflection is no failure of the engine", async () => {
  const sessionManager = new Http2SessionManager(engine.url);
  const transport = createGrpcTransport({
    baseUrl: engine.url,
    sessionManager,
    interceptors: [
      (next) => (request) => {
        request.header.set("authorization", `Bearer ${engine.token}`);
        return next(request);
      },
    ],
  });
  const { promise: left, resolve: leave } = Promise.withResolvers<void>();
  async function* ask() {
    yield { messageRequest: { case: "listServices" as const, value: "" } };
    await left;
  }
  const answers = createClient(ServerReflection, transport).serverReflectionInfo(ask())[Symbol.asyncIterator]();
  expect((await answers.next()).value?.messageResponse.case).toBe("listServicesResponse");
  sessionManager.abort();
  await expect(answers.next()).rejects.toThrow("aborted");
  leave();
  // The end of the test fails where the engine has logged an error.
});
