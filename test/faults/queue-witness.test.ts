import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { type Event, EventSchema } from "../../gen/ts/parley/v1/event_pb.ts";
import { Role } from "../../gen/ts/parley/v1/message_pb.ts";
import { QueuedKind, QueuedMessageSchema } from "../../gen/ts/parley/v1/queue_pb.ts";
import { checkQueue, type Sent, tagged } from "./queue-witness.ts";

// What the storm would tell of engines that treat their queue badly, on logs written by hand.

let moment = 0;

function sent(tag: string, kind: Sent["kind"], more: Partial<Sent> = {}): Sent {
  const [sentAt, answeredAt] = [++moment, ++moment];
  return {
    tag,
    kind,
    text: tagged("go", tag),
    isFramed: false,
    expectedTurnId: "",
    sentAt,
    answeredAt,
    isAccepted: true,
    queuedId: `queued_${tag}`,
    removal: "no",
    ...more,
  };
}

const queued = (tag: string, kind: QueuedKind = QueuedKind.FOLLOW_UP) =>
  create(QueuedMessageSchema, { id: `queued_${tag}`, kind, preview: tagged("go", tag) });
const steer = (tag: string) => queued(tag, QueuedKind.STEER);

type Told = (seq: bigint) => Event;
const joins =
  (...messages: ReturnType<typeof queued>[]): Told =>
  (seq) =>
    create(EventSchema, { seq, payload: { case: "queueChanged", value: { queued: messages } } });
const leaves =
  (...tags: string[]): Told =>
  (seq) =>
    create(EventSchema, {
      seq,
      payload: { case: "queueChanged", value: { removedIds: tags.map((tag) => `queued_${tag}`) } },
    });
const says =
  (tag: string, turnId = `turn_${tag}`, text = tagged("go", tag)): Told =>
  (seq) =>
    create(EventSchema, {
      seq,
      turnId,
      payload: {
        case: "messageCompleted",
        value: { message: { id: `msg_${seq}`, role: Role.USER, parts: [{ content: { case: "text", value: text } }] } },
      },
    });

const log = (...told: readonly Told[]): Event[] => told.map((make, i) => make(BigInt(i + 1)));
const faults = (...args: Parameters<typeof checkQueue>): string[] => checkQueue(...args).map(({ fault }) => fault);

test("a queue that is treated well is found to be so", () => {
  const all = [
    sent("a", "follow_up", { queuedId: "" }),
    sent("b", "follow_up"),
    sent("c", "steer", { isFramed: true }),
    sent("d", "steer"),
    sent("e", "follow_up", { removal: "yes" }),
    sent("f", "follow_up"),
    sent("g", "follow_up", { isAccepted: false }),
  ];
  const events = log(
    says("a"),
    joins(queued("b")),
    joins(steer("c")),
    says("c", "turn_a", `[Said while you work.] ${tagged("go", "c")}`),
    leaves("c"),
    joins(steer("d")),
    joins(queued("e")),
    joins(queued("f")),
    leaves("e"),
    joins(queued("d")),
    leaves("d"),
    says("d"),
  );
  expect(checkQueue(all, events, [queued("b"), queued("f")])).toEqual([]);
});

test("a message that is gone, or left unasked, is lost", () => {
  expect(faults([sent("a", "follow_up")], log(), [])).toEqual(["lost"]);
  expect(faults([sent("a", "steer")], log(joins(steer("a")), leaves("a")), [])).toEqual(["lost"]);
});

test("a message that is taken up twice, or listed besides, or after its refusal or removal, is there twice", () => {
  const a = sent("a", "follow_up");
  expect(faults([a], log(says("a"), says("a", "turn_other")), [])).toEqual(["twice"]);
  expect(faults([a], log(joins(queued("a")), says("a")), [queued("a")])).toContain("twice");
  expect(faults([{ ...a, isAccepted: false }], log(says("a")), [])).toEqual(["twice"]);
  expect(faults([{ ...a, removal: "yes" }], log(joins(queued("a")), leaves("a"), says("a")), [])).toEqual(["twice"]);
});

test("who is taken up before somebody who was there first is out of order", () => {
  const [a, b] = [sent("a", "follow_up"), sent("b", "follow_up")];
  const overtaken = log(joins(queued("a")), joins(queued("b")), leaves("b"), says("b"));
  expect(faults([a, b], overtaken, [queued("a")])).toEqual(["order", "order"]);
  // By their answers, where the log tells nothing of it.
  expect(faults([a, b], log(says("b"), says("a")), [])).toEqual(["order"]);
  const steers = log(joins(steer("a")), joins(steer("b")), joins(queued("b"), queued("a")));
  const waiting = [queued("b"), queued("a")];
  expect(faults([sent("a", "steer"), sent("b", "steer")], steers, waiting)).toEqual(["order"]);
});

test("a list that is not the log's is found", () => {
  const [a, b] = [sent("a", "follow_up"), sent("b", "follow_up")];
  const events = log(joins(queued("a")), joins(queued("b")));
  expect(faults([a, b], events, [queued("b"), queued("a")])).toEqual(["list"]);
  expect(faults([a, b], events, [queued("a")])).toEqual(["list", "lost"]);
});

test("another text, another turn, and words that nobody sent are changes", () => {
  const a = sent("a", "follow_up");
  expect(faults([a], log(says("a", "turn_1", tagged("went", "a"))), [])).toEqual(["changed"]);
  expect(faults([a], log(says("a"), says("b")), [])).toEqual(["changed"]);
  expect(faults([a, sent("b", "follow_up")], log(says("a", "turn_1"), says("b", "turn_1")), [])).toEqual(["changed"]);
  const late = sent("a", "steer", { expectedTurnId: "turn_1" });
  expect(faults([late], log(joins(steer("a")), says("a", "turn_2"), leaves("a")), [])).toEqual(["changed"]);
  const framed = sent("a", "steer", { isFramed: true });
  expect(faults([framed], log(joins(steer("a")), says("a", "turn_2"), leaves("a")), [])).toEqual(["changed"]);
});
