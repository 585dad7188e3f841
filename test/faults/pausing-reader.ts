import { Role } from "../../gen/ts/parley/v1/message_pb.ts";
import { applyEvent, createClient, createTranscript, type Event } from "../../src/client/client.ts";
import { wholeMessage } from "../../src/client/transcript.ts";
import { startEngineProcess } from "../helpers/engine-process.ts";
import { atMost, type Figure, figure, none } from "./figure.ts";
import { growthOfQueues } from "./queue-control.ts";
import { createLiveMemory } from "./live-memory.ts";
import { openHttp2Watches, readEvents } from "./raw-watch.ts";

/** As many as it takes for a queue of each to be seen in the memory of a process. */
const READERS = 200;
/** The demo model's longest answer, in words and in kilobytes. */
const WORDS = 100_000;
const TEXT_KB = 600;
/** What is alive may grow by: the text itself, and nothing for each reader once it has taken what fits on the way to it. */
const BOUND_MB = 12;

/** Windows, and buffers of both sides: when so much was said each reader has what it takes. */
const ON_THE_WAY_CHARS = 200_000;

/** Readers that stop in the middle of a turn for so long, then read on: the engine keeps nothing for them, and they get all of it. */
export async function pausingReader(seconds: number): Promise<Figure[]> {
  const live = createLiveMemory();
  const engine = await startEngineProcess({ env: live.env });
  const client = createClient(engine);
  try {
    const { session } = await client.sessions.createSession({ title: "a test", profile: "demo" });
    const sessionId = session?.id ?? "";
    // Each takes what fits into its window, and nothing after that.
    const { session: connection, streams } = await openHttp2Watches({ ...engine, sessionId }, READERS);
    const text = `write ${WORDS} words at ${Math.ceil(WORDS / seconds)} words a second`;
    const events = client.messages.sendMessage({ sessionId, parts: [{ content: { case: "text", value: text } }] });
    let chars = 0;
    let before: number | undefined;
    for await (const { payload } of events) {
      if (payload.case !== "event" || payload.value.payload.case !== "textDelta") continue;
      chars += payload.value.payload.value.text.length;
      if (chars > ON_THE_WAY_CHARS) before ??= await live.ask(engine.pid);
    }
    const growthMb = ((await live.ask(engine.pid)) - (before ?? 0)) / 1e6;
    const { messages } = await client.sessions.listMessages({ sessionId });
    const stored = messages.filter(({ role }) => role === Role.ASSISTANT).map((message) => wholeMessage(message).text);
    // Reading on is not what is slow here.
    connection.settings({ initialWindowSize: 1024 * 1024 });
    const texts = await Promise.all(streams.map(async (stream) => textOf(await readEvents(stream, isEnd))));
    connection.destroy();
    const wrong = texts.filter((shown) => shown === "" || shown !== stored[0]).length;
    const queuesMb = (await growthOfQueues(READERS, TEXT_KB)) / 1e6;
    return [
      none(`pausing readers: wrong texts after ${seconds} s without reading`, wrong, READERS),
      atMost(`pausing readers: growth of what is alive with ${READERS} of them`, growthMb, BOUND_MB, "MB"),
      figure(
        "control: growth of memory with a queue for each",
        `${queuesMb.toFixed(0)} MB`,
        `more than ${BOUND_MB} MB`,
        queuesMb > BOUND_MB,
      ),
    ];
  } finally {
    client.close();
    await engine.kill();
  }
}

function isEnd({ payload }: Event): boolean {
  return payload.case === "turnEnded";
}

function textOf(events: readonly Event[]): string {
  const transcript = createTranscript();
  for (const event of events) applyEvent(transcript, event);
  return [...transcript.messages.values()].find(({ role }) => role === Role.ASSISTANT)?.text ?? "";
}
