import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, createRouterTransport } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { ErrorInfoSchema } from "../gen/ts/google/rpc/error_details_pb.ts";
import {
  applyEvent,
  createClient,
  createTranscript,
  type Event,
  EventSchema,
  type FollowItem,
  type FollowOptions,
  type FollowState,
  followSession,
  MessageService,
  type WatchSessionRequest,
} from "../src/client/client.ts";
import { createFakeClock, type FakeClock } from "./helpers/fake-clock.ts";

/** What a scripted engine does when it is asked: gives these things, then ends, throws or stays silent. */
type Script = (request: WatchSessionRequest, call: number) => Iterable<Sent>;
type Sent =
  | Event
  | { readonly lastSeq: bigint; readonly caughtUp: boolean; readonly logEpoch: string }
  | Error
  | "silence";

const EPOCH = "epoch_1";

function delta(seq: number, text: string): Event {
  const value = { messageId: "msg_1", text };
  return create(EventSchema, { seq: BigInt(seq), turnId: "turn_1", payload: { case: "textDelta", value } });
}

function checkpoint(lastSeq: number, caughtUp = true, logEpoch = EPOCH): Sent {
  return { lastSeq: BigInt(lastSeq), caughtUp, logEpoch };
}

function refusal(code: Code, reason: string): ConnectError {
  const error = new ConnectError(reason, code);
  error.details.push({ desc: ErrorInfoSchema, value: { reason, domain: "parley", metadata: {} } });
  return error;
}

/** An engine that follows a script, and a record of what it was asked. */
function scripted(script: Script) {
  const requests: WatchSessionRequest[] = [];
  const signals: AbortSignal[] = [];
  const transport = createRouterTransport(({ service }) => {
    service(MessageService, {
      async *watchSession(request, { signal }) {
        requests.push(request);
        signals.push(signal);
        for (const sent of script(request, requests.length)) {
          if (sent instanceof Error) throw sent;
          if (sent === "silence")
            await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
          else if (typeof sent === "object" && "seq" in sent)
            yield { payload: { case: "event" as const, value: sent } };
          else if (typeof sent === "object") yield { payload: { case: "checkpoint" as const, value: sent } };
        }
      },
    });
  });
  return {
    client: createClient({ transport }),
    requests /** Streams whose caller has not said that it is gone. */,
    open: () => signals.filter(({ aborted }) => !aborted).length,
  };
}

/** Follows until `count` items of a kind came, moving the clock on whenever a wait is reported. */
async function follow(
  client: ReturnType<typeof createClient>,
  options: Partial<FollowOptions> & { readonly until: (items: FollowItem[]) => boolean; readonly clock?: FakeClock },
) {
  const { until, clock = createFakeClock(), ...rest } = options;
  const items: FollowItem[] = [];
  const states: FollowState[] = [];
  const controller = new AbortController();
  const onState = (state: FollowState): void => {
    states.push(state);
    if (state.kind === "waiting") void clock.advance(state.delayMs);
  };
  const where = { sessionId: "ses_1", signal: controller.signal, onState, clock, random: () => 0.5, ...rest };
  for await (const item of followSession(client, where)) {
    items.push(item);
    if (until(items)) controller.abort();
  }
  return { items, states, clock };
}

const seqsOf = (items: readonly FollowItem[]): number[] =>
  items.flatMap((item) => (item.kind === "event" ? [Number(item.event.seq)] : []));

test("a stream that breaks at any place is taken up again: nothing twice, nothing lost", async () => {
  const words = Array.from({ length: 400 }, (_, index) => `w${index} `);
  for (let seed = 1; seed <= 100; seed++) {
    let state = seed;
    const random = (): number => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
    const { client, requests } = scripted(function* ({ afterSeq }) {
      yield checkpoint(400, false);
      // Some engines repeat what one has; a break may come before anything, and at any place.
      const from = Math.max(0, Number(afterSeq) - Math.floor(random() * 3));
      const stopAt = from + Math.floor(random() * 90);
      for (let seq = from + 1; seq <= Math.min(400, stopAt); seq++) yield delta(seq, words[seq - 1] ?? "");
      if (stopAt < 400)
        yield random() < 0.5 ? new ConnectError("cut", Code.Aborted) : refusal(Code.Unavailable, "ENGINE_STOPPING");
      yield checkpoint(400);
      yield "silence";
    });
    const { items } = await follow(client, { until: (all) => all.at(-1)?.kind === "caught_up" });
    const transcript = createTranscript();
    for (const item of items) if (item.kind === "event") applyEvent(transcript, item.event);
    expect(transcript.messages.get("msg_1")?.text).toBe(words.join(""));
    expect(seqsOf(items)).toEqual(words.map((_, index) => index + 1));
    expect(requests.slice(1).every(({ logEpoch }) => logEpoch === EPOCH)).toBe(true);
  }
});

test("a stream that merely ends is taken up again", async () => {
  const { client, requests } = scripted(function* ({ afterSeq }) {
    yield checkpoint(Number(afterSeq) + 1);
    yield delta(Number(afterSeq) + 1, "x");
  });
  const { items } = await follow(client, { until: (all) => seqsOf(all).length === 3 });
  expect(seqsOf(items)).toEqual([1, 2, 3]);
  expect(requests.map(({ afterSeq }) => Number(afterSeq))).toEqual([0, 1, 2]);
});

test("numbers that jump are taken as they are: deltas were merged", async () => {
  const { client } = scripted(function* () {
    yield checkpoint(9, false);
    yield* [delta(1, "a"), delta(7, "bcd"), delta(9, "e"), checkpoint(9), "silence"] as const;
  });
  const { items } = await follow(client, { until: (all) => all.at(-1)?.kind === "caught_up" });
  expect(seqsOf(items)).toEqual([1, 7, 9]);
});

test("it waits longer from failure to failure, up to 5 s, and half of it by chance", async () => {
  const { client } = scripted((_, call) =>
    call <= 9 ? [refusal(Code.Unavailable, "ENGINE_STOPPING")] : [checkpoint(0), "silence"],
  );
  const { states } = await follow(client, { until: (all) => all.length === 1, random: () => 1 });
  const delays = states.flatMap((state) => (state.kind === "waiting" ? [state.delayMs] : []));
  expect(delays).toEqual([100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
  expect(states.at(-1)).toEqual({ kind: "live" });
  const { states: lucky } = await follow(
    scripted((_, call) => (call <= 2 ? [new ConnectError("cut", Code.Internal)] : [checkpoint(0), "silence"])).client,
    { until: (all) => all.length === 1, random: () => 0 },
  );
  expect(lucky.flatMap((state) => (state.kind === "waiting" ? [state.delayMs] : []))).toEqual([50, 100]);
});

test("after an event came the next failure is the first again", async () => {
  const { client } = scripted(function* ({ afterSeq }, call) {
    if (call > 6) yield* [checkpoint(9), "silence"] as const;
    if (call === 4) yield delta(Number(afterSeq) + 1, "x");
    throw new ConnectError("cut", Code.Unavailable);
  });
  const { states } = await follow(client, { until: (all) => all.at(-1)?.kind === "caught_up" });
  expect(states.flatMap((state) => (state.kind === "waiting" ? [state.failures] : []))).toEqual([1, 2, 3, 1, 2, 3]);
});

test("an engine that says nothing for two heartbeats is given up, and one that beats is not", async () => {
  const clock = createFakeClock();
  const { client, requests, open } = scripted((_, call) =>
    call === 1 ? [checkpoint(0), "silence"] : [delta(1, "x"), "silence"],
  );
  const done = follow(client, { clock, until: (all) => seqsOf(all).length === 1 });
  await clock.advance(34_000);
  expect(requests.length).toBe(1);
  await clock.advance(2_000);
  const { states } = await done;
  expect(requests.length).toBe(2);
  expect(states[1]).toMatchObject({ kind: "waiting", failures: 1 });
  // No stream is left open at the engine, and no timer here.
  await clock.advance(0);
  expect(open()).toBe(0);
  expect(clock.timers()).toBe(0);
});

test("time that the reader takes for itself is no silence of the engine", async () => {
  const clock = createFakeClock();
  const { client, requests } = scripted(() => [checkpoint(1), delta(1, "a"), delta(2, "b"), "silence"]);
  const controller = new AbortController();
  const iterator = followSession(client, { sessionId: "ses_1", clock, signal: controller.signal });
  expect((await iterator.next()).value).toMatchObject({ kind: "caught_up" });
  expect((await iterator.next()).value).toMatchObject({ kind: "event" });
  await clock.advance(600_000);
  expect((await iterator.next()).value).toMatchObject({ event: { seq: 2n } });
  expect(requests.length).toBe(1);
  controller.abort();
  expect((await iterator.next()).done).toBe(true);
  expect(clock.timers()).toBe(0);
});

test.for([
  [Code.OutOfRange, "LOG_CHANGED"],
  [Code.OutOfRange, "SEQ_AHEAD"],
] as const)("another log is said, and read from its beginning: %s %s", async ([code, reason]) => {
  const { client, requests } = scripted(({ afterSeq }) =>
    afterSeq > 0n
      ? [refusal(code, reason)]
      : [checkpoint(2, false, "epoch_2"), delta(1, "a"), delta(2, "b"), checkpoint(2, true, "epoch_2"), "silence"],
  );
  const { items } = await follow(client, {
    afterSeq: 70n,
    logEpoch: EPOCH,
    until: (all) => all.at(-1)?.kind === "caught_up",
  });
  expect(items.map(({ kind }) => kind)).toEqual(["reset", "event", "event", "caught_up"]);
  expect(items[0]).toEqual({ kind: "reset", reason });
  expect(items.at(-1)).toEqual({ kind: "caught_up", lastSeq: 2n, logEpoch: "epoch_2" });
  expect(requests.map((request) => [request.afterSeq, request.logEpoch])).toEqual([
    [70n, EPOCH],
    [0n, undefined],
  ]);
});

test("an engine with another log that does not look at the epoch is noticed all the same", async () => {
  const { client } = scripted((_, call) =>
    call === 1
      ? [checkpoint(1), delta(1, "old"), new ConnectError("cut", Code.Aborted)]
      : [checkpoint(1, true, "epoch_2"), delta(1, "new"), "silence"],
  );
  const { items } = await follow(client, { until: (all) => seqsOf(all).length === 2 });
  expect(items.map(({ kind }) => kind)).toEqual(["caught_up", "event", "reset", "caught_up", "event"]);
});

test("a log that is always another one is an error, not a loop", async () => {
  const { client, requests } = scripted(() => [refusal(Code.OutOfRange, "LOG_CHANGED")]);
  await expect(follow(client, { afterSeq: 5n, until: () => false })).rejects.toMatchObject({ code: Code.OutOfRange });
  expect(requests.length).toBe(2);
});

test.for([
  refusal(Code.NotFound, "SESSION_NOT_FOUND"),
  refusal(Code.NotFound, "SESSION_DELETED"),
  refusal(Code.Unauthenticated, "TOKEN_UNKNOWN"),
  refusal(Code.PermissionDenied, "SCOPE_MISSING"),
  refusal(Code.InvalidArgument, "INVALID_FIELD"),
  refusal(Code.Internal, "INTERNAL"),
  new ConnectError("a proxy says no", Code.Unauthenticated),
])("what an engine refuses ends the following with its error: $rawMessage", async (error) => {
  const { client, requests } = scripted(() => [checkpoint(1, false), delta(1, "a"), error]);
  await expect(follow(client, { until: () => false })).rejects.toMatchObject({
    code: error.code,
    rawMessage: error.rawMessage,
  });
  expect(requests.length).toBe(1);
});

test("the caller's signal ends it without an error, also while it waits to try again", async () => {
  const clock = createFakeClock();
  const controller = new AbortController();
  const { client, requests } = scripted(() => [new ConnectError("away", Code.Unavailable)]);
  const items: FollowItem[] = [];
  const onState = (): void => controller.abort();
  for await (const item of followSession(client, { sessionId: "ses_1", signal: controller.signal, clock, onState }))
    items.push(item);
  expect(items).toEqual([]);
  expect(requests.length).toBe(1);
  expect(clock.timers()).toBe(0);
});

test("leaving the loop tells the engine", async () => {
  const clock = createFakeClock();
  const { client, open } = scripted(() => [checkpoint(1), delta(1, "a"), "silence"]);
  for await (const item of followSession(client, { sessionId: "ses_1", clock })) {
    if (item.kind === "event") break;
  }
  await clock.advance(0);
  expect(open()).toBe(0);
  expect(clock.timers()).toBe(0);
});
