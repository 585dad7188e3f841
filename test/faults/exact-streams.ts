import { createHash } from "node:crypto";
import {
  type Client,
  createClient as createServiceClient,
  type Interceptor,
  type Transport,
} from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import type { Event } from "../../gen/ts/parley/v1/event_pb.ts";
import { MessageService } from "../../gen/ts/parley/v1/message_service_pb.ts";
import { Role } from "../../gen/ts/parley/v1/message_pb.ts";
import { SessionService } from "../../gen/ts/parley/v1/session_service_pb.ts";
import { wholeMessage } from "../../src/client/transcript.ts";
import { type EngineProcess, startEngineProcess } from "../helpers/engine-process.ts";
import { atLeast, control, type Figure, none } from "./figure.ts";

type Messages = Client<typeof MessageService>;

export interface ExactStreamOptions {
  /** Words, which the demo model counts as tokens. */
  readonly words: number;
  readonly wordsPerSecond: number;
  /** How often each watcher is dropped, in as many turns as that takes. */
  readonly drops: number;
}

/** How many turns the controls may take at most; they end with what they find. */
const MAX_TURNS = 200;

/** Where a dropped watcher goes on: after the last event it saw, unless it does that wrong. */
type Resume = (lastSeq: bigint, checkpointSeq: bigint) => bigint;
const RIGHT: Resume = (lastSeq) => lastSeq;
const WRONG: Readonly<Record<string, Resume>> = {
  "going on from the event before the last": (lastSeq) => (lastSeq > 0n ? lastSeq - 1n : 0n),
  "going on from a checkpoint": (lastSeq, checkpointSeq) => (checkpointSeq > lastSeq ? checkpointSeq : lastSeq),
};

/** What one watcher was given of one turn. */
interface Seen {
  readonly name: string;
  readonly events: readonly Event[];
  readonly drops: number;
}

/** Drops watchers of a streaming turn, over every protocol, and compares what they got with one that was never dropped. */
export async function exactStreams(options: ExactStreamOptions): Promise<Figure[]> {
  const engine = await startEngineProcess();
  try {
    const transports = transportsOf(engine);
    const watchers = Object.entries(transports).flatMap(([protocol, transport]) => {
      const messages = createServiceClient(MessageService, transport);
      return [
        { name: `${protocol}, dropped after token 50`, messages, resume: RIGHT, dropAt: onceAfter(50) },
        { name: `${protocol}, dropped at random`, messages, resume: RIGHT, dropAt: atRandom },
      ];
    });
    const [plain] = Object.values(transports);
    if (plain === undefined) throw new Error("no transport");
    const messages = createServiceClient(MessageService, plain);
    const wrong = Object.entries(WRONG).map(([name, resume]) => ({ name, messages, resume, dropAt: atRandom }));

    const bad = new Map<string, number>();
    const drops = new Map<string, number>();
    let turns = 0;
    let events = 0;
    // A wrong way to come back is wrong only where it is dropped at the wrong moment: it gets a few turns to show it.
    const needsMore = (): boolean =>
      Math.min(...random(watchers).map(({ name }) => drops.get(name) ?? 0)) < options.drops ||
      (turns < MAX_TURNS && wrong.some(({ name }) => (bad.get(name) ?? 0) === 0));
    do {
      const { reference, stored, seen } = await watchTurn(engine, plain, [...watchers, ...wrong], options);
      turns++;
      events += reference.length;
      for (const one of seen) {
        bad.set(one.name, (bad.get(one.name) ?? 0) + countFaults(one.events, reference, stored));
        drops.set(one.name, (drops.get(one.name) ?? 0) + one.drops);
      }
    } while (needsMore());

    const fewest = Math.min(...random(watchers).map(({ name }) => drops.get(name) ?? 0));
    return [
      atLeast("exact streams: random drops of each watcher", fewest, options.drops, `in ${turns} turns`),
      ...watchers.map(({ name }) => none(`exact streams: faults, ${name}`, bad.get(name) ?? 0, events)),
      ...wrong.map(({ name }) => control(`exact streams, ${name}`, bad.get(name) ?? 0, "faults")),
    ];
  } finally {
    await engine.kill();
  }
}

function random<T extends { readonly dropAt: DropAt }>(watchers: readonly T[]): T[] {
  return watchers.filter(({ dropAt }) => dropAt === atRandom);
}

function transportsOf({ url, token }: EngineProcess): Record<string, Transport> {
  const withToken: Interceptor = (next) => (request) => {
    request.header.set("Authorization", `Bearer ${token}`);
    return next(request);
  };
  const base = { baseUrl: url, interceptors: [withToken] };
  return {
    "Connect, HTTP/2": createConnectTransport({ ...base, httpVersion: "2" }),
    "Connect, HTTP/1.1": createConnectTransport({ ...base, httpVersion: "1.1" }),
    gRPC: createGrpcTransport(base),
    "gRPC-Web": createGrpcWebTransport({ ...base, httpVersion: "1.1" }),
  };
}

/** Whether to drop the connection now: told the words so far and the events since the last drop. */
type DropAt = (seen: { readonly words: number; readonly sinceDrop: number; readonly drops: number }) => boolean;

/** Once: the first event that brings the text to so many words is the last of its connection. */
function onceAfter(words: number): DropAt {
  return (seen) => seen.drops === 0 && seen.words >= words;
}

function atRandom({ sinceDrop }: { readonly sinceDrop: number }): boolean {
  return sinceDrop > 0 && Math.random() < 0.35;
}

interface Watcher {
  readonly name: string;
  readonly messages: Messages;
  readonly resume: Resume;
  readonly dropAt: DropAt;
}

async function watchTurn(
  engine: EngineProcess,
  transport: Transport,
  watchers: readonly Watcher[],
  { words, wordsPerSecond }: ExactStreamOptions,
): Promise<{ reference: readonly Event[]; stored: string; seen: readonly Seen[] }> {
  const sessions = createServiceClient(SessionService, transport);
  const messages = createServiceClient(MessageService, transport);
  const { session } = await sessions.createSession({ title: "a test", profile: "demo" });
  const sessionId = session?.id ?? "";
  const reference = watch({ name: "reference", messages, resume: RIGHT, dropAt: () => false }, sessionId);
  // One that goes on wrongly may have skipped the end.
  const enough = new AbortController();
  const right = watchers.filter(({ resume }) => resume === RIGHT).map((watcher) => watch(watcher, sessionId));
  const wrong = watchers
    .filter(({ resume }) => resume !== RIGHT)
    .map((watcher) => watch(watcher, sessionId, enough.signal));
  const text = `write ${words} words at ${wordsPerSecond} words a second`;
  await messages.startTurn({ sessionId, parts: [{ content: { case: "text", value: text } }] });
  const seen = await Promise.all(right);
  enough.abort();
  seen.push(...(await Promise.all(wrong)));
  const page = await sessions.listMessages({ sessionId });
  const answer = page.messages.find(({ role }) => role === Role.ASSISTANT);
  if (answer === undefined) throw new Error(`no answer was stored by ${engine.url}`);
  return { reference: (await reference).events, stored: sha256(wholeMessage(answer).text), seen };
}

/** Watches a turn to its end, over as many connections as its drops make. */
async function watch(
  { name, messages, resume, dropAt }: Watcher,
  sessionId: string,
  enough?: AbortSignal,
): Promise<Seen> {
  const events: Event[] = [];
  let lastSeq = 0n;
  let checkpointSeq = 0n;
  let text = "";
  for (let drops = 0; ; drops++) {
    const controller = new AbortController();
    let sinceDrop = 0;
    const request = { sessionId, afterSeq: resume(lastSeq, checkpointSeq) };
    const signal = enough === undefined ? controller.signal : AbortSignal.any([controller.signal, enough]);
    for await (const { payload } of untilAborted(messages.watchSession(request, { signal }), enough)) {
      if (payload.case === "checkpoint") checkpointSeq = payload.value.lastSeq;
      if (payload.case !== "event") continue;
      const event = payload.value;
      events.push(event);
      lastSeq = event.seq;
      sinceDrop++;
      if (event.payload.case === "textDelta") text += event.payload.value.text;
      if (event.payload.case === "turnEnded") {
        controller.abort();
        return { name, events, drops };
      }
      if (dropAt({ words: text.split(/\s+/).length, sinceDrop, drops })) break;
    }
    controller.abort();
    if (enough?.aborted === true) return { name, events, drops };
  }
}

async function* untilAborted<T>(stream: AsyncIterable<T>, enough: AbortSignal | undefined): AsyncGenerator<T> {
  try {
    yield* stream;
  } catch (error) {
    if (enough?.aborted !== true) throw error;
  }
}

/**
 * Compares a watcher with one that was never dropped. Deltas may come merged, so not their number counts but that after
 * each of them the text is what the other one had at that `seq`.
 */
function countFaults(events: readonly Event[], reference: readonly Event[], storedSha256: string): number {
  const textAt = new Map<bigint, string>();
  const factsOfReference: Event[] = [];
  let text = "";
  for (const event of reference) {
    if (event.payload.case === "textDelta") textAt.set(event.seq, (text += event.payload.value.text));
    else factsOfReference.push(event);
  }
  let faults = sha256(text) === storedSha256 ? 0 : 1;
  let lastSeq = 0n;
  let own = "";
  const facts: Event[] = [];
  for (const event of events) {
    if (event.seq <= lastSeq) faults++;
    lastSeq = event.seq;
    if (event.payload.case !== "textDelta") facts.push(event);
    else {
      own += event.payload.value.text;
      if (textAt.get(event.seq) !== own) faults++;
    }
  }
  if (sha256(own) !== storedSha256) faults++;
  const missing = factsOfReference.filter(({ seq }) => !facts.some((fact) => fact.seq === seq)).length;
  return faults + missing + Math.max(0, facts.length - factsOfReference.length);
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
