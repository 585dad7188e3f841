import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { EventSchema, GetSnapshotResponseSchema, MessageStatus, Role, TurnEndReason } from "../../client/client.ts";
import type { Output } from "../output.ts";
import { createSessionView, type SessionView } from "./session-view.ts";
import { createStyle } from "../terminal/style.ts";

type EventInit = MessageInitShape<typeof EventSchema>;
type Payload = EventInit["payload"];

function viewed(): { view: SessionView; see: (...payloads: readonly Payload[]) => void; text: () => string } {
  let text = "";
  const output: Output = {
    isTerminal: false,
    style: createStyle(false),
    write: (more) => void (text += more),
    foreign: (all) => all,
    foreignLine: (all) => all,
    columns: 80,
  };
  const view = createSessionView(output);
  const see = (...payloads: readonly Payload[]): void => {
    for (const payload of payloads) view.show(create(EventSchema, { turnId: "turn_1", payload } as EventInit));
  };
  return { view, see, text: () => text };
}

const delta = (messageId: string, text: string): Payload => ({ case: "textDelta", value: { messageId, text } });
const completed = (id: string, text: string, status: MessageStatus, role: Role = Role.ASSISTANT): Payload => ({
  case: "messageCompleted",
  value: { message: { id, role, status, parts: [{ content: { case: "text", value: text } }] } },
});

describe("an answer that was cut off", () => {
  const cut = [delta("m1", "one tw"), completed("m1", "one tw", MessageStatus.INTERRUPTED)];

  test("is marked where its turn goes on by itself", () => {
    const { see, text } = viewed();
    see(...cut, { case: "stepStarted", value: { step: 2 } }, delta("m2", "anew"));
    expect(text()).toBe("one tw\n\n✗ cut off here; the turn goes on\n\nanew");
  });

  test("is told once where the turn ends with it", () => {
    const { see, text } = viewed();
    see(...cut, { case: "turnEnded", value: { reason: TurnEndReason.INTERRUPTED } });
    expect(text()).toBe("one tw\n\n✗ interrupted\n");
  });
});

test("what was edited, cleared or rewound is told to those who look on", () => {
  const { see, text } = viewed();
  see(
    completed("m1", "said", MessageStatus.COMPLETE, Role.USER),
    {
      case: "messageUpdated",
      value: {
        message: {
          id: "m1",
          role: Role.USER,
          status: MessageStatus.COMPLETE,
          parts: [{ content: { case: "text", value: "meant" } }],
        },
      },
    },
    { case: "historyCleared", value: { firstMessageId: "m1" } },
    { case: "historyCleared", value: { firstMessageId: "" } },
  );
  expect(text()).toContain("› said\n");
  expect(text()).toContain("✎ what was said was edited; it is now:\n\nmeant\n");
  expect(text()).toContain("⟲ rewound");
  expect(text()).toContain("⟲ the history was cleared");
});

test("files that are as before a turn again are told on one line", () => {
  const { see, text } = viewed();
  see({ case: "filesReverted", value: { turnId: "turn_1", paths: ["a", "b", "c", "d", "e", "f\n", "g"] } });
  expect(text()).toBe("⟲ as before the turn again: a, b, c, d, e and 2 more\n");
});

test("after a snapshot of a running turn its deltas go on in the middle of the message", () => {
  const { view, see, text } = viewed();
  view.showSnapshot(
    create(GetSnapshotResponseSchema, {
      messages: [
        {
          id: "m1",
          role: Role.USER,
          status: MessageStatus.COMPLETE,
          parts: [{ content: { case: "text", value: "say it" } }],
        },
      ],
      partialMessage: { messageId: "m2", turnId: "turn_1", role: Role.ASSISTANT, text: "first hal" },
      runningTurn: { id: "turn_1" },
    }),
  );
  see(delta("m2", "f, second half"), completed("m2", "first half, second half", MessageStatus.COMPLETE));
  expect(text()).toBe("› say it\n\nfirst half, second half");
});
