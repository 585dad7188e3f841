import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { type Event, EventSchema } from "../../gen/ts/parley/v1/event_pb.ts";
import { MessageStatus, Role } from "../../gen/ts/parley/v1/message_pb.ts";
import { TurnEndReason } from "../../gen/ts/parley/v1/turn_pb.ts";
import { checkReplay, createWitness, type Fault } from "./witness.ts";

// The negative controls of the check that all fault tests rest on: each of its faults, made by hand, is found.

type Payload = NonNullable<MessageInitShape<typeof EventSchema>["payload"]>;

const event = (seq: number, payload: Payload, turnId = "turn_1"): Event =>
  create(EventSchema, { seq: BigInt(seq), turnId, payload });

const said = (seq: number, text: string): Event =>
  event(seq, { case: "textDelta", value: { messageId: "msg_1", text } });
const started = (seq: number): Event =>
  event(seq, { case: "messageStarted", value: { messageId: "msg_1", role: Role.ASSISTANT } });
const completed = (seq: number, text: string): Event =>
  event(seq, {
    case: "messageCompleted",
    value: {
      message: {
        id: "msg_1",
        role: Role.ASSISTANT,
        status: MessageStatus.COMPLETE,
        parts: text === "" ? [] : [{ content: { case: "text", value: text } }],
      },
    },
  });
const requested = (seq: number): Event =>
  event(seq, { case: "toolCallRequested", value: { callId: "call_1", name: "now" } });
const callStarted = (seq: number): Event =>
  event(seq, { case: "toolCallStarted", value: { callId: "call_1", name: "now" } });
const callEnded = (seq: number): Event =>
  event(seq, { case: "toolCallEnded", value: { callId: "call_1", messageId: "msg_2" } });
const turnStarted = (seq: number, turnId = "turn_1"): Event => event(seq, { case: "turnStarted", value: {} }, turnId);
const turnEnded = (seq: number, turnId = "turn_1"): Event =>
  event(seq, { case: "turnEnded", value: { reason: TurnEndReason.COMPLETED } }, turnId);

const LOG = [
  turnStarted(1),
  started(2),
  said(3, "It "),
  said(4, "is "),
  completed(5, "It is noon."),
  requested(6),
  callStarted(7),
  callEnded(8),
  turnEnded(9),
];

function faultsOf(seen: readonly Event[], replay: readonly Event[]): Fault[] {
  const witness = createWitness();
  for (const item of seen) witness.take(item);
  return [...witness.violations, ...checkReplay(witness.look(), replay)].map(({ fault }) => fault);
}

/** The log as a restarted engine replays it: the deltas of whole messages are gone. */
const REPLAY = LOG.filter(({ payload }) => payload.case !== "textDelta");

test("a log that was kept is found to be whole", () => {
  expect(faultsOf(LOG, REPLAY)).toEqual([]);
  expect(faultsOf(LOG.slice(0, 4), REPLAY)).toEqual([]);
});

test("a turn that still runs is not a fault", () => {
  const live = [turnStarted(1), started(2), said(4, "It is ")];
  expect(faultsOf(live, live)).toEqual([]);
  expect(faultsOf([], [...REPLAY, turnStarted(10, "turn_2")])).toEqual([]);
});

test.each<[string, Fault, readonly Event[], readonly Event[]]>([
  ["an event that was shown and is gone", "lost", LOG, REPLAY.slice(0, -1)],
  ["an event that was shown and is another one", "lost", LOG, [...REPLAY.slice(0, -1), turnEnded(9, "turn_2")]],
  [
    "text that was shown and is not in the whole message",
    "lost",
    LOG.slice(0, 4),
    REPLAY.with(2, completed(5, "It was")),
  ],
  ["text that was shown of a message that is gone", "lost", [said(3, "It ")], [turnStarted(1)]],
  [
    "thoughts that were shown as text",
    "lost",
    [event(3, { case: "reasoningDelta", value: { messageId: "msg_1", text: "It " } })],
    REPLAY,
  ],
  ["deltas that are not the text of their message", "lost", [], LOG.with(3, said(4, "was "))],
  ["a number that came twice", "seq", [turnStarted(1), turnStarted(1)], REPLAY],
  ["a number that went back", "seq", [turnStarted(5), turnStarted(4)], REPLAY],
  ["a number of a fact that is text now", "seq", [turnStarted(1), turnEnded(3)], LOG],
  ["a number of text that is a fact now", "seq", [said(6, "It ")], REPLAY],
  ["a number that comes twice in the replay", "seq", [], [...REPLAY, turnEnded(9)]],
  [
    "a number that is missing between facts",
    "gap",
    [],
    [...REPLAY.slice(0, 2), completed(5, "It is noon."), requested(7), callEnded(8), turnEnded(9)],
  ],
  ["a number that is missing before the first", "gap", [], [turnStarted(2), turnEnded(3)]],
  [
    "a call that started twice",
    "tool run twice",
    [],
    [turnStarted(1), requested(2), callStarted(3), callStarted(4), callEnded(5), turnEnded(6)],
  ],
  [
    "a call that ended twice",
    "tool run twice",
    [],
    [turnStarted(1), requested(2), callStarted(3), callEnded(4), callEnded(5), turnEnded(6)],
  ],
  ["a call that never ended", "tool call open", [], [turnStarted(1), requested(2), turnEnded(3)]],
  ["a turn that ended twice", "turn ends", [], [turnStarted(1), turnEnded(2), turnEnded(3)]],
  ["a turn that never ended", "turn ends", [], [turnStarted(1), turnStarted(2, "turn_2")]],
  ["a message that never ended", "message open", [], [turnStarted(1), started(2), turnEnded(3)]],
])("%s is found", (_name, fault, seen, replay) => {
  expect(faultsOf(seen, replay)).toContain(fault);
});
