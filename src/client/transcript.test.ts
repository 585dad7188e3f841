import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { type Event, EventSchema } from "../../gen/ts/parley/v1/event_pb.ts";
import { MessageSchema, MessageStatus, Role } from "../../gen/ts/parley/v1/message_pb.ts";
import { GetSnapshotResponseSchema } from "../../gen/ts/parley/v1/session_service_pb.ts";
import { applyEvent, createTranscript, type Transcript } from "./transcript.ts";

type Payload = NonNullable<MessageInitShape<typeof EventSchema>["payload"]>;

function message(id: string, text: string, role = Role.USER) {
  const parts = [{ content: { case: "text" as const, value: text } }];
  return create(MessageSchema, { id, role, status: MessageStatus.COMPLETE, parts });
}

const event = (payload: Payload): Event => create(EventSchema, { payload });
const said = (id: string, text = id): Event =>
  event({ case: "messageCompleted", value: { message: message(id, text) } });
const edited = (id: string, text: string): Event =>
  event({ case: "messageUpdated", value: { message: message(id, text) } });
const cleared = (firstMessageId: string, lastMessageId: string): Event =>
  event({ case: "historyCleared", value: { firstMessageId, lastMessageId } });

/** "a=text of a" for each message. */
function show({ messages }: Transcript): string {
  return [...messages.values()].map(({ id, text, reasoning }) => `${id}=${reasoning}${text}`).join(" ");
}

/** What is shown after events, of which the first few may have been in a snapshot. */
function shown(events: readonly Event[], transcript = createTranscript()): string {
  for (const one of events) applyEvent(transcript, one);
  return show(transcript);
}

const snapshotOf = (...ids: readonly string[]) =>
  createTranscript(create(GetSnapshotResponseSchema, { messages: ids.map((id) => message(id, id)) }));

test("an edit replaces what a message said, in its place", () => {
  expect(shown([said("a"), said("b"), edited("a", "new")])).toBe("a=new b=b");
});

test("an edit of a message older than what is shown changes nothing", () => {
  expect(shown([edited("old", "new"), said("d")], snapshotOf("b", "c"))).toBe("b=b c=c d=d");
  expect(applyEvent(snapshotOf("b"), edited("old", "new"))).toBeUndefined();
});

test("a rewind takes a message away and all after it", () => {
  expect(shown([said("a"), said("b"), said("c"), cleared("b", "a"), said("d")])).toBe("a=a d=d");
});

test("a cleared history leaves nothing", () => {
  expect(shown([said("a"), said("b"), cleared("", "")])).toBe("");
  expect(shown([cleared("", ""), said("b")], snapshotOf("a"))).toBe("b=b");
});

test("a rewind to a message that came and went unseen takes away nothing that is left", () => {
  expect(shown([said("a"), said("b"), cleared("c", "b"), said("d")])).toBe("a=a b=b d=d");
  // What is shown after the last one that is left came before it was seen to go.
  expect(shown([said("a"), said("b"), cleared("x", "a")])).toBe("a=a");
});

test("a rewind to before the oldest that is shown takes all of it away", () => {
  expect(shown([cleared("old", "older"), said("d")], snapshotOf("b", "c"))).toBe("d=d");
  expect(shown([cleared("first", "")], snapshotOf("b", "c"))).toBe("");
});

test("text goes on where a snapshot found it, and the whole message replaces it", () => {
  const partialMessage = { messageId: "m", turnId: "t", role: Role.ASSISTANT, text: "half", reasoning: "hm " };
  const transcript = createTranscript(
    create(GetSnapshotResponseSchema, { messages: [message("a", "a")], partialMessage }),
  );
  expect(show(transcript)).toBe("a=a m=hm half");
  expect(shown([event({ case: "textDelta", value: { messageId: "m", text: " done" } })], transcript)).toBe(
    "a=a m=hm half done",
  );
  expect(shown([said("m", "whole")], transcript)).toBe("a=a m=whole");
});
