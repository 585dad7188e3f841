import { setTimeout as pause } from "node:timers/promises";
import {
  applyEvent,
  type Event,
  loadPicture,
  type Picture,
  Role,
  type TranscriptMessage,
} from "../../src/client/client.ts";
import { wholeMessage } from "../../src/client/transcript.ts";
import type { Database } from "../../src/store/database.ts";
import { openSqlite } from "../../src/store/sqlite.ts";
import { createSession, listMessages, replay, text } from "../api/observe.ts";
import { startTestEngine, type TestEngine } from "../api/test-engine.ts";
import { control, type Figure, figure, none } from "./figure.ts";

// Snapshots of running turns at random moments. Each viewer goes on from the end that its snapshot names, and compares what
// it has with what is stored, and what it was given with what the log holds.

/** What is said: text, thoughts, calls, failures, and what is cut off. */
const TEXTS = [
  "think, then write 150 words at 400 words a second",
  "what time is it in Tokyo and Paris? at 300 words a second",
  "write 200 words at 600 words a second and fail after 120 words",
  "fail once, then write 60 words at 300 words a second",
  "write 400 words as fast as you can",
] as const;

const SESSIONS = 4;
/** How many look at one turn, and within which time after its start. */
const VIEWERS = 10;
const LOOK_WITHIN_MS = 450;
/** A control ends with what it finds. */
const CONTROL_MOMENTS = 3000;
const CANCELLED = 0.15;
const FOLLOWED_UP = 0.3;

/** Where an engine or its client may go wrong. */
interface Wiring {
  readonly openDatabase: (db: Database) => Database;
  /** Where a viewer goes on from. */
  readonly from: (picture: Picture) => bigint;
}

const RIGHT: Wiring = { openDatabase: (db) => db, from: ({ from }) => from.afterSeq };

const WRONG: Readonly<Record<string, Wiring>> = {
  "rows and the end of the log of two moments": {
    ...RIGHT,
    openDatabase: (db) => ({
      ...db,
      read: async (queries, take) => {
        const rows = await db.read(queries);
        await pause(5);
        return take === undefined ? (rows as never) : take(rows);
      },
    }),
  },
  "going on from the end without deltas": { ...RIGHT, from: ({ snapshot }) => snapshot.session?.lastSeq ?? 0n },
};

/** One that took a snapshot and goes on from there. */
interface Viewer {
  readonly picture: Picture;
  readonly events: readonly Event[];
  readonly faults: string[];
  /** Goes on to this number and leaves. */
  finish(endSeq: bigint): Promise<void>;
}

/** Looks at so many moments; none may go wrong, and with a guard off some must. */
export async function snapshotWatch(moments: number): Promise<Figure[]> {
  const right = await look(moments, RIGHT);
  for (const fault of right.faults.slice(0, 10)) console.log(fault);
  const controls: Figure[] = [];
  for (const [name, wiring] of Object.entries(WRONG)) {
    const wrong = await look(CONTROL_MOMENTS, wiring, true);
    controls.push(control(`snapshot then watch, ${name}`, wrong.faults.length, "faults"));
  }
  return [
    figure("snapshot then watch: with a message being made", right.partial, "more than 0", right.partial > 0),
    figure("snapshot then watch: with a call that runs", right.calls, "any", true),
    none("snapshot then watch: pictures that are not what is stored, of moments", right.faults.length, right.moments),
    ...controls,
  ];
}

interface Looked {
  moments: number;
  partial: number;
  calls: number;
  readonly faults: string[];
}

/** Looks at so many moments; a control only until it has found something. */
async function look(moments: number, wiring: Wiring, isControl = false): Promise<Looked> {
  const openDatabase = (...args: Parameters<typeof openSqlite>): Database => wiring.openDatabase(openSqlite(...args));
  const engine = await startTestEngine({ parts: { openDatabase } });
  const looked: Looked = { moments: 0, partial: 0, calls: 0, faults: [] };
  const isEnough = (): boolean => looked.moments >= moments || (isControl && looked.faults.length > 0);
  const use = async (): Promise<void> => {
    const { id } = await createSession(engine);
    while (!isEnough()) await lookAtTurn(engine, id, wiring, looked);
  };
  try {
    await Promise.all(Array.from({ length: SESSIONS }, use));
    return looked;
  } finally {
    await engine.dispose();
  }
}

async function lookAtTurn(engine: TestEngine, sessionId: string, wiring: Wiring, looked: Looked): Promise<void> {
  const { turn } = await engine.messages.startTurn({ sessionId, parts: text(pick(TEXTS)) });
  if (Math.random() < FOLLOWED_UP) await engine.messages.followUp({ sessionId, parts: text(pick(TEXTS)) });
  const viewers = Array.from({ length: VIEWERS }, async () => {
    await pause(Math.random() * LOOK_WITHIN_MS);
    return openViewer(engine, sessionId, wiring);
  });
  if (Math.random() < CANCELLED) {
    await pause(Math.random() * LOOK_WITHIN_MS);
    await engine.messages.cancelTurn({ sessionId, turnId: turn!.id });
  }
  const opened = await Promise.all(viewers);
  const endSeq = await whenIdle(engine, sessionId);
  const stored = await listMessages(engine, sessionId);
  const log = await replay(engine, sessionId);
  for (const viewer of opened) {
    await viewer.finish(endSeq);
    const { snapshot } = viewer.picture;
    if (snapshot.runningTurn === undefined) continue;
    looked.moments++;
    if (snapshot.partialMessage !== undefined) looked.partial++;
    if (snapshot.toolCalls.length > 0) looked.calls++;
    const faults = [...viewer.faults, ...faultsOf(viewer, stored.map(wholeMessage), log)];
    if (faults.length > 0) looked.faults.push(`${sessionId} from ${snapshot.lastSeq}: ${faults.join("; ")}`);
  }
}

async function whenIdle(engine: TestEngine, sessionId: string): Promise<bigint> {
  for (;;) {
    const { runningTurn, queue, lastSeq } = await engine.sessions.getSnapshot({ sessionId, pageSize: 1 });
    if (runningTurn === undefined && queue.length === 0) return lastSeq;
    // What waits after a turn that did not complete goes on with the next one.
    const [waiting] = queue;
    if (runningTurn === undefined && waiting !== undefined) {
      await engine.messages.removeQueued({ sessionId, queuedId: waiting.id });
    }
    await pause(20);
  }
}

async function openViewer(engine: TestEngine, sessionId: string, { from }: Wiring): Promise<Viewer> {
  const picture = await loadPicture(engine, { sessionId, pageSize: 1000 });
  const controller = new AbortController();
  const events: Event[] = [];
  const faults: string[] = [];
  const afterSeq = from(picture);
  let seen = afterSeq;
  let target: bigint | undefined;
  const watching = (async () => {
    try {
      const request = { sessionId, afterSeq, logEpoch: picture.from.logEpoch };
      for await (const { payload } of engine.messages.watchSession(request, { signal: controller.signal })) {
        if (payload.case !== "event") continue;
        faults.push(...takeUp(picture, payload.value, seen));
        events.push(payload.value);
        seen = payload.value.seq;
        if (target !== undefined && seen >= target) return;
      }
    } catch (error) {
      if (!controller.signal.aborted) throw error;
    }
  })();
  return {
    picture,
    events,
    faults,
    async finish(endSeq) {
      target = endSeq;
      if (seen >= endSeq) controller.abort();
      await watching;
      controller.abort();
    },
  };
}

/** Applies an event; a message that becomes whole must be what its pieces were. */
function takeUp({ transcript }: Picture, event: Event, seen: bigint): string[] {
  const faults = event.seq > seen ? [] : [`${event.seq} came after ${seen}`];
  const { payload } = event;
  if (payload.case === "messageCompleted" && payload.value.message?.role === Role.ASSISTANT) {
    const whole = wholeMessage(payload.value.message);
    const known = transcript.messages.get(whole.id);
    if (known === undefined && whole.text !== "") faults.push(`${whole.id} is whole before it began`);
    else if (known !== undefined && (known.text !== whole.text || known.reasoning !== whole.reasoning)) {
      faults.push(`${whole.id} had ${known.text.length} of ${whole.text.length} characters, or others`);
    }
  }
  applyEvent(transcript, event);
  return faults;
}

function isFact({ payload }: Event): boolean {
  return payload.case !== "textDelta" && payload.case !== "reasoningDelta";
}

/** What is not as it is stored, at the end. */
function faultsOf({ picture, events }: Viewer, stored: readonly TranscriptMessage[], log: readonly Event[]): string[] {
  const faults: string[] = [];
  const shown = [...picture.transcript.messages.values()].map(lineOf);
  if (JSON.stringify(shown) !== JSON.stringify(stored.map(lineOf))) faults.push("the messages are not those stored");
  const wanted = log.filter((event) => isFact(event) && event.seq > picture.snapshot.lastSeq).map(({ seq }) => seq);
  const given = events.filter(isFact).map(({ seq }) => seq);
  if (given.join() !== wanted.join())
    faults.push(`facts ${given.join()} were given where ${wanted.join()} are in the log`);
  return faults;
}

function lineOf({ id, turnId, role, text: said, reasoning, status }: TranscriptMessage): string {
  return [id, turnId, role, status, reasoning, said].join("|");
}

function pick<T>(all: readonly T[]): T {
  return all[Math.floor(Math.random() * all.length)] as T;
}
