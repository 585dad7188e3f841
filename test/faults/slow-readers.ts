import type { Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { createClient as createServiceClient, type Interceptor } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { MessageService } from "../../gen/ts/parley/v1/message_service_pb.ts";
import { Role } from "../../gen/ts/parley/v1/message_pb.ts";
import { applyEvent, type Client, createClient, createTranscript } from "../../src/client/client.ts";
import { wholeMessage } from "../../src/client/transcript.ts";
import { descriptorsOf, type EngineProcess, memoryOf, startEngineProcess } from "../helpers/engine-process.ts";
import { atMost, type Figure, figure, none } from "./figure.ts";
import { growthOfQueues } from "./queue-control.ts";
import { createLiveMemory } from "./live-memory.ts";
import { openHttp1Watch, openHttp2Watches, type Where } from "./raw-watch.ts";

/** The demo model's longest answer, 600 KB: queues of 500 readers would be 300 MB. */
const TEXT = "write 100000 words as fast as you can";
const TEXT_KB = 600;

/**
 * What is alive may grow by this part of what the text would take for each reader: it is in memory once. On a busy machine those who
 * never read are sent late what their connections hold, 130 KB each; a server with a queue for each grows by more than the whole.
 */
const BOUND = 0.4;

/** How long what has gone may be noticed after it went. */
const NOTICED_MS = 120_000;

/** So many readers share a connection, as those of one program do. */
const PER_CONNECTION = 50;

export interface SlowReaderOptions {
  readonly never: number;
  readonly vanish: number;
  readonly read: number;
}

/** Readers of one fast turn of which many never read, many vanish, and the rest must get its exact text. */
export async function slowReaders({ never, vanish, read }: SlowReaderOptions): Promise<Figure[]> {
  const live = createLiveMemory();
  const engine = await startEngineProcess({ env: live.env });
  const client = createClient(engine);
  try {
    // What reading itself costs is there before anything is measured.
    const warm = await newSession(engine, client);
    const descriptorsBefore = descriptorsOf(engine.pid);
    const warmReaders = openReaders(warm, read);
    await warmReaders.attached;
    await runTurn(client, warm.sessionId);
    await warmReaders.saidNext();
    warmReaders.close();
    await untilReaders(client, 0);
    const idle = await live.ask(engine.pid);

    const where = await newSession(engine, client);
    const readers = openReaders(where, read);
    await readers.attached;
    const vanishing = await openVanishing(where, vanish);
    const stuck = await openStuck(where, never);
    await untilReaders(client, never + vanish + read);
    await runTurn(client, where.sessionId);
    await Promise.all([readers.saidNext(), vanishing.gone]);
    const isVanishedSeen = await untilReaders(client, never + read);
    const liveBefore = await live.ask(engine.pid);
    const memory = watchMemory(engine.pid);
    await runTurn(client, where.sessionId);
    const texts = await readers.saidNext();
    const rssMb = memory.stop();
    const growthMb = ((await live.ask(engine.pid)) - liveBefore) / 1e6;
    const stored = await storedText(client, where.sessionId);
    readers.close();
    for (const close of stuck) close();
    const isAllSeen = await untilReaders(client, 0);
    const left = await client.engine.getStatus({});
    const descriptorsLeft = await untilDescriptors(engine, descriptorsBefore);
    const queuesMb = (await growthOfQueues(never, TEXT_KB)) / 1e6;
    const textsMb = (never * TEXT_KB) / 1000;
    return [
      none(`slow readers: wrong texts of the ${read} who read`, texts.filter((text) => text !== stored).length, read),
      figure(`slow readers: the ${vanish} who vanished are noticed`, String(isVanishedSeen), "true", isVanishedSeen),
      figure(
        `slow readers: each of ${never} who never read holds`,
        `${((liveBefore - idle) / 1000 / never).toFixed(0)} KB`,
        "told only",
        true,
      ),
      atMost(`slow readers: growth of what is alive by ${TEXT_KB} KB more`, growthMb, BOUND * textsMb, "MB"),
      figure("slow readers: growth of resident memory meanwhile", `${rssMb.toFixed(0)} MB`, "told only", true),
      figure("slow readers: handlers left", left.readers, "0", isAllSeen && left.readers === 0),
      figure("slow readers: descriptors left", descriptorsLeft, "0", descriptorsLeft <= 0),
      figure(
        "control: growth of memory with a queue for each reader",
        `${queuesMb.toFixed(0)} MB`,
        `more than ${textsMb} MB`,
        queuesMb > textsMb,
      ),
    ];
  } finally {
    client.close();
    await engine.kill();
  }
}

async function newSession({ url, token }: EngineProcess, client: Client): Promise<Where> {
  const { session } = await client.sessions.createSession({ title: "a test", profile: "demo" });
  return { url, token, sessionId: session?.id ?? "" };
}

async function runTurn(client: Client, sessionId: string): Promise<void> {
  await client.messages.startTurn({ sessionId, parts: [{ content: { case: "text", value: TEXT } }] });
}

async function storedText(client: Client, sessionId: string): Promise<string> {
  const { messages } = await client.sessions.listMessages({ sessionId });
  const answer = messages.findLast(({ role }) => role === Role.ASSISTANT);
  return answer === undefined ? "" : wholeMessage(answer).text;
}

/** Honest readers, with the generated client over gRPC. */
function openReaders(where: Where, count: number) {
  const controller = new AbortController();
  const connections: Http2SessionManager[] = [];
  const attached: Promise<unknown>[] = [];
  const readers: AsyncGenerator<string, void>[] = [];
  for (let start = 0; start < count; start += PER_CONNECTION) {
    const sessionManager = new Http2SessionManager(where.url);
    connections.push(sessionManager);
    const transport = createGrpcTransport({
      baseUrl: where.url,
      sessionManager,
      interceptors: [withToken(where.token)],
    });
    const messages = createServiceClient(MessageService, transport);
    for (let i = start; i < Math.min(count, start + PER_CONNECTION); i++) {
      const reader = readTurns(messages.watchSession({ sessionId: where.sessionId }, { signal: controller.signal }));
      attached.push(reader.next());
      readers.push(reader);
    }
  }
  return {
    attached: Promise.all(attached),
    /** What each of them shows of the next turn, once that has ended. */
    saidNext: () => Promise.all(readers.map(async (reader) => (await reader.next()).value ?? "")),
    close() {
      controller.abort();
      for (const connection of connections) connection.abort();
    },
  };
}

function withToken(token: string): Interceptor {
  return (next) => (request) => {
    request.header.set("Authorization", `Bearer ${token}`);
    return next(request);
  };
}

/** Nothing when the stream has begun, then what a reader shows at the end of each turn. */
async function* readTurns(stream: ReturnType<Client["messages"]["watchSession"]>): AsyncGenerator<string, void> {
  const transcript = createTranscript();
  for await (const { payload } of stream) {
    if (payload.case === "checkpoint" && payload.value.lastSeq === 0n) yield "";
    if (payload.case !== "event") continue;
    applyEvent(transcript, payload.value);
    if (payload.value.payload.case !== "turnEnded") continue;
    yield [...transcript.messages.values()].findLast(({ role }) => role === Role.ASSISTANT)?.text ?? "";
  }
}

/** Readers that are gone in the middle, half of them over HTTP/2, half of them with a reset. */
async function openVanishing(where: Where, count: number): Promise<{ readonly gone: Promise<unknown> }> {
  const half = Math.floor(count / 2);
  const sockets = await Promise.all(Array.from({ length: count - half }, () => openHttp1Watch(where)));
  const gone = sockets.map((socket, i) => vanishMidStream(socket, i % 2 === 0));
  for (let start = 0; start < half; start += PER_CONNECTION) {
    const { session, streams } = await openHttp2Watches(where, Math.min(PER_CONNECTION, half - start));
    const [first] = streams;
    gone.push(
      new Promise((resolve) => {
        session.once("close", resolve);
        let bytes = 0;
        for (const stream of streams) stream.resume();
        first?.on("data", (chunk: Buffer) => {
          if ((bytes += chunk.length) > VANISH_AFTER_BYTES) session.destroy();
        });
      }),
    );
  }
  return { gone: Promise.all(gone) };
}

const VANISH_AFTER_BYTES = 8 * 1024;

function vanishMidStream(socket: Socket, withReset: boolean): Promise<void> {
  return new Promise((resolve) => {
    let bytes = 0;
    socket.once("close", () => resolve());
    socket.on("data", (chunk: Buffer) => {
      if ((bytes += chunk.length) <= VANISH_AFTER_BYTES) return;
      if (withReset) socket.resetAndDestroy();
      else socket.destroy();
    });
    socket.resume();
  });
}

/** Readers that never read, a fifth of them over HTTP/1.1. Returns what ends their connections. */
async function openStuck(where: Where, count: number): Promise<(() => unknown)[]> {
  const fifth = Math.floor(count / 5);
  const sockets = await Promise.all(Array.from({ length: fifth }, () => openHttp1Watch(where)));
  const closers: (() => unknown)[] = sockets.map((socket) => () => socket.destroy());
  for (let start = fifth; start < count; start += PER_CONNECTION) {
    const { session } = await openHttp2Watches(where, Math.min(PER_CONNECTION, count - start));
    closers.push(() => session.destroy());
  }
  return closers;
}

/** The most that a process grows from now on, in megabytes. */
function watchMemory(pid: number): { stop(): number } {
  const before = memoryOf(pid);
  let most = before;
  const look = (): void => void (most = Math.max(most, memoryOf(pid)));
  const timer = setInterval(look, 50);
  return {
    stop() {
      clearInterval(timer);
      look();
      return (most - before) / 1e6;
    },
  };
}

/** Whether the engine comes to say that it has so many readers. */
async function untilReaders(client: Client, count: number): Promise<boolean> {
  return until(async () => (await client.engine.getStatus({})).readers === count);
}

/** How many descriptors more than before an engine keeps. */
async function untilDescriptors({ pid }: EngineProcess, before: number): Promise<number> {
  await until(async () => descriptorsOf(pid) <= before);
  return descriptorsOf(pid) - before;
}

/** The engine has no event for what is asked here; it is asked again until it says so. */
async function until(isSo: () => Promise<boolean>): Promise<boolean> {
  const end = performance.now() + NOTICED_MS;
  for (;;) {
    if (await isSo()) return true;
    if (performance.now() > end) return false;
    await pause(20);
  }
}
