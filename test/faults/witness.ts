import { toBinary } from "@bufbuild/protobuf";
import { type Event, EventSchema } from "../../gen/ts/parley/v1/event_pb.ts";
import { MessageStatus, Role } from "../../gen/ts/parley/v1/message_pb.ts";
import type { TurnEndReason } from "../../gen/ts/parley/v1/turn_pb.ts";
import { wholeMessage } from "../../src/client/transcript.ts";

/** What can be wrong with a log that somebody has seen. */
export type Fault =
  /** What was shown is not in the replay, or is another thing there. */
  | "lost"
  /** A number went back, or stands for two things. */
  | "seq"
  /** A number is missing where no delta of a whole message was. */
  | "gap"
  | "tool run twice"
  | "tool call open"
  | "turn ends"
  | "message open";

export interface Violation {
  readonly fault: Fault;
  readonly detail: string;
}

/** The text of one message, thoughts and answer apart. */
interface Shown {
  text: string;
  reasoning: string;
}

/** Remembers every event that one session's watchers were shown, over all lives of the engine. */
export interface Witness {
  /** The last number seen; a watch goes on from here. */
  readonly lastSeq: bigint;
  readonly eventCount: number;
  readonly violations: Violation[];
  take(event: Event): void;
  /** What was shown so far, to be compared with a replay that begins after this. */
  look(): Glance;
}

/** What a witness had seen at one moment. */
export interface Glance {
  readonly facts: readonly Fact[];
  readonly deltas: readonly SeenDelta[];
  readonly texts: ReadonlyMap<string, Readonly<Shown>>;
}

interface Fact {
  readonly seq: bigint;
  readonly kind: string;
  readonly bytes: string;
}

interface SeenDelta {
  readonly seq: bigint;
  readonly messageId: string;
}

export function createWitness(): Witness {
  const facts: Fact[] = [];
  const deltas: SeenDelta[] = [];
  const texts = new Map<string, Shown>();
  const violations: Violation[] = [];
  let lastSeq = 0n;
  let eventCount = 0;
  return {
    get lastSeq() {
      return lastSeq;
    },
    get eventCount() {
      return eventCount;
    },
    violations,
    take(event) {
      if (event.seq <= lastSeq) violations.push({ fault: "seq", detail: `${event.seq} came after ${lastSeq}` });
      lastSeq = event.seq;
      eventCount++;
      const delta = addDelta(texts, event);
      if (delta === undefined) facts.push(factOf(event));
      else deltas.push(delta);
    },
    look: () => ({
      facts: facts.slice(),
      deltas: deltas.slice(),
      texts: new Map([...texts].map(([id, shown]) => [id, { ...shown }])),
    }),
  };
}

function factOf(event: Event): Fact {
  return {
    seq: event.seq,
    kind: event.payload.case ?? "",
    bytes: Buffer.from(toBinary(EventSchema, event)).toString("latin1"),
  };
}

/** Takes up a delta; undefined where the event is none. */
function addDelta(texts: Map<string, Shown>, { seq, payload }: Event): SeenDelta | undefined {
  if (payload.case !== "textDelta" && payload.case !== "reasoningDelta") return undefined;
  const { messageId, text } = payload.value;
  const shown = texts.get(messageId) ?? { text: "", reasoning: "" };
  texts.set(messageId, shown);
  if (payload.case === "textDelta") shown.text += text;
  else shown.reasoning += text;
  return { seq, messageId };
}

/** Compares what was shown with a whole replay, and the replay with the rules of every log. */
export function checkReplay(glance: Glance, replay: readonly Event[]): Violation[] {
  const whole = readReplay(replay);
  return [...checkKept(glance, whole), ...checkNumbers(replay, whole), ...checkTurns(replay, whole)];
}

interface WholeMessage extends Shown {
  readonly startSeq: bigint;
  readonly endSeq: bigint | undefined;
  readonly status: MessageStatus;
}

interface Replay {
  readonly facts: ReadonlyMap<bigint, Fact>;
  readonly deltas: ReadonlyMap<bigint, string>;
  /** What the replay itself shows of each message as deltas. */
  readonly texts: ReadonlyMap<string, Readonly<Shown>>;
  readonly messages: ReadonlyMap<string, WholeMessage>;
}

function readReplay(replay: readonly Event[]): Replay {
  const facts = new Map<bigint, Fact>();
  const deltas = new Map<bigint, string>();
  const texts = new Map<string, Shown>();
  const messages = new Map<string, WholeMessage>();
  for (const event of replay) {
    const { seq, payload } = event;
    const delta = addDelta(texts, event);
    if (delta === undefined) facts.set(seq, factOf(event));
    else deltas.set(seq, delta.messageId);
    if (payload.case === "messageStarted") {
      const open = { text: "", reasoning: "", startSeq: seq, endSeq: undefined, status: MessageStatus.UNSPECIFIED };
      messages.set(payload.value.messageId, open);
    } else if (payload.case === "messageCompleted" && payload.value.message !== undefined) {
      const { id, status, text, reasoning } = wholeMessage(payload.value.message);
      const startSeq = messages.get(id)?.startSeq ?? seq;
      messages.set(id, { text, reasoning, startSeq, endSeq: seq, status });
    }
  }
  return { facts, deltas, texts, messages };
}

function checkKept(glance: Glance, { facts, deltas, texts, messages }: Replay): Violation[] {
  const violations: Violation[] = [];
  for (const fact of glance.facts) {
    const kept = facts.get(fact.seq);
    if (kept === undefined && deltas.has(fact.seq)) {
      violations.push({ fault: "seq", detail: `${fact.seq} was ${fact.kind} and is text now` });
    } else if (kept?.bytes !== fact.bytes) {
      const now = kept === undefined ? "gone" : `another ${kept.kind}`;
      violations.push({ fault: "lost", detail: `${fact.seq} ${fact.kind} is ${now}` });
    }
  }
  for (const { seq, messageId } of glance.deltas) {
    const other = facts.get(seq)?.kind ?? deltas.get(seq);
    if (other !== undefined && other !== messageId) {
      violations.push({ fault: "seq", detail: `${seq} was text of ${messageId} and is ${other} now` });
    }
  }
  for (const [id, shown] of glance.texts) {
    const message = messages.get(id);
    const now = message?.endSeq === undefined ? texts.get(id) : message;
    if (now === undefined) violations.push({ fault: "lost", detail: `the text of ${id} is gone` });
    else if (!now.text.startsWith(shown.text) || !now.reasoning.startsWith(shown.reasoning)) {
      const lengths = `${shown.text.length} + ${shown.reasoning.length} characters were shown, ${now.text.length} + ${now.reasoning.length} are there`;
      violations.push({ fault: "lost", detail: `the text of ${id} is another one: ${lengths}` });
    }
  }
  return violations;
}

/** Numbers grow, and are missing only where the deltas of a message were. */
function checkNumbers(replay: readonly Event[], { texts, messages }: Replay): Violation[] {
  const violations: Violation[] = [];
  const spans = [...messages.values()].filter(({ startSeq, endSeq }) => startSeq !== endSeq);
  let before = 0n;
  for (const { seq } of replay) {
    const [from, to] = [before, seq];
    if (to <= from) violations.push({ fault: "seq", detail: `${to} follows ${from} in the replay` });
    before = to;
    if (to <= from + 1n) continue;
    // Text that is still there came merged into fewer numbers; text that is not lies within its message.
    const isText = spans.some(({ startSeq, endSeq }) => startSeq <= from && to <= (endSeq ?? to));
    if (!isText) violations.push({ fault: "gap", detail: `nothing between ${from} and ${to}` });
  }
  for (const [id, { text, reasoning }] of texts) {
    const message = messages.get(id);
    if (message?.endSeq === undefined || (message.text === text && message.reasoning === reasoning)) continue;
    violations.push({ fault: "lost", detail: `the deltas of ${id} are not its text` });
  }
  return violations;
}

interface TurnTrace {
  ends: number;
  readonly open: Set<string>;
}

/** Each turn has one end, each message and call within it too; only the last turn may still run. */
function checkTurns(replay: readonly Event[], { messages }: Replay): Violation[] {
  const violations: Violation[] = [];
  const turns = new Map<string, TurnTrace>();
  const started = new Map<string, number>();
  const ended = new Map<string, number>();
  for (const { turnId, payload } of replay) {
    if (turnId === "") continue;
    const turn = turns.get(turnId) ?? { ends: 0, open: new Set() };
    turns.set(turnId, turn);
    if (payload.case === "turnEnded") turn.ends++;
    else if (payload.case === "toolCallRequested") turn.open.add(payload.value.callId);
    else if (payload.case === "toolCallStarted") add(started, payload.value.callId);
    else if (payload.case === "toolCallEnded") {
      add(ended, payload.value.callId);
      turn.open.delete(payload.value.callId);
    } else if (payload.case === "messageStarted") turn.open.add(payload.value.messageId);
    else if (payload.case === "messageCompleted") turn.open.delete(payload.value.message?.id ?? "");
  }
  const lastId = [...turns.keys()].at(-1);
  for (const [id, { ends, open }] of turns) {
    const isRunning = id === lastId && ends === 0;
    if (ends !== 1 && !isRunning) violations.push({ fault: "turn ends", detail: `${id} has ${ends} ends` });
    if (isRunning) continue;
    for (const left of open) {
      const fault = messages.has(left) ? "message open" : "tool call open";
      violations.push({ fault, detail: `${left} of ${id} never ended` });
    }
  }
  for (const [what, counts] of [
    ["started", started],
    ["ended", ended],
  ] as const) {
    for (const [id, count] of counts) {
      if (count > 1) violations.push({ fault: "tool run twice", detail: `${id} ${what} ${count} times` });
    }
  }
  return violations;
}

function add(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

/** What a replay tells of the turns in it. */
export interface TurnsSeen {
  readonly started: number;
  readonly reasons: ReadonlyMap<string, TurnEndReason>;
  /** Why turns did not complete, as `error.reason`. */
  readonly errors: ReadonlyMap<string, string>;
  /** The user messages, in order. */
  readonly userTexts: readonly string[];
  readonly callsStarted: ReadonlySet<string>;
}

export function readTurns(replay: readonly Event[]): TurnsSeen {
  const reasons = new Map<string, TurnEndReason>();
  const errors = new Map<string, string>();
  const userTexts: string[] = [];
  const callsStarted = new Set<string>();
  let started = 0;
  for (const { turnId, payload } of replay) {
    if (payload.case === "turnStarted") started++;
    else if (payload.case === "toolCallStarted") callsStarted.add(payload.value.callId);
    else if (payload.case === "turnEnded") {
      reasons.set(turnId, payload.value.reason);
      errors.set(turnId, payload.value.error?.reason ?? "");
    } else if (payload.case === "messageCompleted" && payload.value.message?.role === Role.USER) {
      userTexts.push(wholeMessage(payload.value.message).text);
    }
  }
  return { started, reasons, errors, userTexts, callsStarted };
}
