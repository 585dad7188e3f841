import { createClient } from "@connectrpc/connect";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { EngineService, EngineTopic } from "../../gen/ts/parley/v1/engine_service_pb.ts";
import type { EventSchema } from "../../gen/ts/parley/v1/event_pb.ts";
import { PermissionDecision } from "../../gen/ts/parley/v1/permission_pb.ts";
import { PermissionService } from "../../gen/ts/parley/v1/permission_service_pb.ts";
import type { Request } from "../../gen/ts/parley/v1/request_pb.ts";
import type { MessageShape } from "@bufbuild/protobuf";
import { connectTo, createSession, type Calls, type Target } from "./calls.ts";

type Payload = MessageShape<typeof EventSchema>["payload"];

/** Hands over what comes, one after the other, to whoever waits for it. */
interface Arrivals<T> {
  next(): Promise<{ readonly value: T; readonly atMs: number }>;
}

/**
 * Milliseconds from the moment that a request is made until a client that watches the engine has it, from an approval until
 * another client sees that the call has started, and of a call that only reads, in turn. The first rounds only warm up.
 */
export async function requests(input: {
  target: Target;
  rounds: number;
  warmUp: number;
}): Promise<{ shownMs: number[]; startedMs: number[]; callMs: number[] }> {
  const human = connectTo(input.target);
  const watcher = connectTo(input.target);
  const permissions = createClient(PermissionService, human.transport);
  const stop = new AbortController();
  const opened = arrivals(openedRequests(watcher, stop.signal));
  const shownMs: number[] = [];
  const startedMs: number[] = [];
  const callMs: number[] = [];
  const sessionId = await createSession(human);
  for (let round = 0; round < input.warmUp + input.rounds; round++) {
    const events = arrivals(payloadsOfTurn(human, sessionId));
    // Waited for from now on: it is there when it comes.
    const shown = opened.next();
    await until(events, "requestOpened");
    const { value: request, atMs } = await shown;
    const calledMs = now();
    await human.sessions.getSession({ sessionId });
    const answeredMs = now();
    const answer = permissions.resolvePermission({ requestId: request.id, decision: PermissionDecision.APPROVE });
    const { atMs: seenMs } = await until(events, "toolCallStarted");
    await answer;
    await until(events, "turnEnded");
    if (round < input.warmUp) continue;
    shownMs.push(atMs - (request.createTime === undefined ? NaN : timestampMs(request.createTime)));
    callMs.push(answeredMs - calledMs);
    startedMs.push(seenMs - answeredMs);
  }
  stop.abort();
  human.close();
  watcher.close();
  return { shownMs, startedMs, callMs };
}

/** By the clock on the wall, which the engine's times are of too, with fractions. */
function now(): number {
  return performance.timeOrigin + performance.now();
}

async function* openedRequests({ transport }: Calls, signal: AbortSignal): AsyncGenerator<Request> {
  const engine = createClient(EngineService, transport);
  for await (const { payload } of engine.watchEngine({ topics: [EngineTopic.REQUESTS] }, { signal })) {
    if (payload.case === "request") yield payload.value;
  }
}

async function* payloadsOfTurn({ messages }: Calls, sessionId: string): AsyncGenerator<Payload> {
  const parts = [{ content: { case: "text" as const, value: "run `true`" } }];
  for await (const { payload } of messages.sendMessage({ sessionId, parts })) {
    if (payload.case === "event") yield payload.value.payload;
  }
}

function arrivals<T>(source: AsyncGenerator<T>): Arrivals<T> {
  return {
    async next() {
      const next = await source.next();
      if (next.done === true) throw new Error("the stream ended");
      return { value: next.value, atMs: now() };
    },
  };
}

async function until(events: Arrivals<Payload>, kind: Payload["case"]): Promise<{ readonly atMs: number }> {
  for (;;) {
    const { value, atMs } = await events.next();
    if (value.case === kind) return { atMs };
  }
}
