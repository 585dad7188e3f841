import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { TurnEndReason, createClient, type Event } from "../src/client/client.ts";
import { makeCertificate } from "./helpers/certificate.ts";
import { startEngineProcess } from "./helpers/engine-process.ts";
import { startProxy } from "./helpers/proxy.ts";
import { chunk, DONE, openStream } from "./helpers/upstream.ts";

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

test("an engine behind a proxy reaches its provider over TLS through a tunnel", async () => {
  const { cert, key, certFile } = makeCertificate({ names: "DNS:provider.test" });
  const provider = createServer({ cert, key }, (_request, response) => {
    openStream(response);
    response.end(chunk({ content: "from afar" }) + chunk({}, "stop") + DONE);
  });
  await new Promise<void>((resolve) => provider.listen(0, "127.0.0.1", resolve));
  closers.push(() => provider.close());
  const proxy = await startProxy((provider.address() as AddressInfo).port);
  closers.push(proxy.close);
  const engine = await startEngineProcess({
    env: {
      OPENAI_BASE_URL: "https://provider.test/v1",
      HTTPS_PROXY: proxy.url,
      https_proxy: "",
      no_proxy: "",
      NO_PROXY: "",
      NODE_EXTRA_CA_CERTS: certFile,
    },
  });
  closers.push(() => engine.stop());
  const client = createClient(engine);
  closers.push(() => client.close());
  const { session } = await client.sessions.createSession({ title: "behind a proxy" });
  const events: Event[] = [];
  const said = { sessionId: session?.id ?? "", parts: [{ content: { case: "text", value: "hi" } } as const] };
  for await (const { payload } of client.messages.sendMessage(said)) {
    if (payload.case === "event") events.push(payload.value);
  }
  const last = events.at(-1)?.payload;
  expect(last?.case === "turnEnded" && last.value.reason).toBe(TurnEndReason.COMPLETED);
  expect(events.flatMap(({ payload }) => (payload.case === "textDelta" ? [payload.value.text] : []))).toEqual([
    "from afar",
  ]);
  expect(new Set(proxy.asked)).toEqual(new Set(["CONNECT provider.test:443"]));
});
