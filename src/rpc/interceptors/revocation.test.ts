import { create } from "@bufbuild/protobuf";
import { Code, createClient, createRouterTransport, type Interceptor } from "@connectrpc/connect";
import { expect, test } from "vitest";
import {
  HealthCheckRequestSchema,
  HealthCheckResponse_ServingStatus as Status,
  Health,
} from "../../../gen/ts/grpc/health/v1/health_pb.ts";
import { DomainError } from "../../errors.ts";
import { createErrorInterceptor } from "./errors.ts";
import { principalKey } from "./principal.ts";
import { createRevocationInterceptor } from "./revocation.ts";

const REVOKED = new DomainError("unauthenticated", "TOKEN_REVOKED", "the token t was revoked");

type Watch = (signal: AbortSignal) => AsyncGenerator<{ status: Status }>;

/** A stream, called with a token that can be ended. */
function setUp(watch: Watch, guard: readonly Interceptor[] = [createRevocationInterceptor()]) {
  const token = new AbortController();
  const listeners = countListeners(token.signal);
  const isMine: Interceptor = (next) => (request) => {
    request.contextValues.set(principalKey, { name: "t", scope: "read", ended: token.signal });
    return next(request);
  };
  const logger = { debug: () => {}, warn: () => {}, error: () => {} };
  const interceptors = [createErrorInterceptor({ logger }), isMine, ...guard];
  const transport = createRouterTransport(
    (router) =>
      router.service(Health, {
        watch: (_request, { signal }) => watch(signal),
        check: () => ({ status: Status.SERVING }),
      }),
    { router: { interceptors } },
  );
  const client = createClient(Health, transport);
  const open = (signal = new AbortController().signal) =>
    client.watch(create(HealthCheckRequestSchema), { signal })[Symbol.asyncIterator]();
  return { client, open, revoke: () => token.abort(REVOKED), listeners };
}

function countListeners(signal: AbortSignal): () => number {
  let count = 0;
  const { addEventListener: add, removeEventListener: remove } = signal;
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    count++;
    add.apply(signal, args);
  };
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    count--;
    remove.apply(signal, args);
  };
  return () => count;
}

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) =>
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true }),
  );
}

const revoked = { code: Code.Unauthenticated, rawMessage: REVOKED.message };

test("a stream that waits ends with its token, and its method lets go", async () => {
  const left = Promise.withResolvers<void>();
  const { open, revoke, listeners } = setUp(async function* (signal) {
    try {
      yield { status: Status.SERVING };
      await untilAborted(signal);
    } finally {
      left.resolve();
    }
  });
  const stream = open();
  await stream.next();
  const next = stream.next();
  revoke();
  await expect(next).rejects.toMatchObject(revoked);
  await left.promise;
  expect(listeners()).toBe(0);
});

test("a stream whose method looks at no signal ends all the same", async () => {
  const { open, revoke } = setUp(async function* () {
    yield { status: Status.SERVING };
    await new Promise(() => {});
  });
  const stream = open();
  await stream.next();
  const next = stream.next();
  revoke();
  await expect(next).rejects.toMatchObject(revoked);
});

test("a stream whose reader has stopped reading lets go at once", async () => {
  const left = Promise.withResolvers<void>();
  const { open, revoke } = setUp(async function* () {
    try {
      for (;;) yield { status: Status.SERVING };
    } finally {
      left.resolve();
    }
  });
  const stream = open();
  await stream.next();
  revoke();
  await left.promise;
  await expect(stream.next()).rejects.toMatchObject(revoked);
});

test("control: without the guard the stream goes on", async () => {
  const { open, revoke } = setUp(async function* () {
    for (;;) yield { status: Status.SERVING };
  }, []);
  const stream = open();
  await stream.next();
  revoke();
  for (let i = 0; i < 100; i++) expect((await stream.next()).done).toBe(false);
  await stream.return?.();
});

test("a call whose token ended while its request was read is refused", async () => {
  const { client, open, revoke } = setUp(async function* () {
    yield { status: Status.SERVING };
  });
  await client.check({});
  revoke();
  await expect(client.check({})).rejects.toMatchObject(revoked);
  await expect(open().next()).rejects.toMatchObject(revoked);
});

test("what ends in any other way leaves nothing at the token, and the method sees its caller leave", async () => {
  const seen: unknown[] = [];
  const { open, listeners } = setUp(async function* (signal) {
    yield { status: Status.SERVING };
    await untilAborted(signal).catch((reason: unknown) => seen.push(reason));
  });
  const caller = new AbortController();
  const stream = open(caller.signal);
  await stream.next();
  expect(listeners()).toBe(1);
  const next = stream.next();
  caller.abort();
  await expect(next).rejects.toMatchObject({ code: Code.Canceled });
  await expect.poll(() => [seen.length, listeners()]).toEqual([1, 0]);

  const { open: openShort, listeners: ofShort } = setUp(async function* () {
    yield { status: Status.SERVING };
  });
  for await (const { status } of { [Symbol.asyncIterator]: () => openShort() }) expect(status).toBe(Status.SERVING);
  expect(ofShort()).toBe(0);

  const { open: openBroken, listeners: ofBroken } = setUp(async function* () {
    yield { status: Status.SERVING };
    throw new DomainError("not_found", "GONE", "gone");
  });
  const broken = openBroken();
  await broken.next();
  await expect(broken.next()).rejects.toMatchObject({ code: Code.NotFound });
  expect(ofBroken()).toBe(0);
});
