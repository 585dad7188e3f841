import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { ApprovalMode, EventSchema, QueuedKind, SessionSchema } from "../../client/client.ts";
import { createSessionFacts } from "./session-facts.ts";

type EventInit = MessageInitShape<typeof EventSchema>;
type Payload = EventInit["payload"];

function facts(nowMs = (): number => 5000) {
  const session = create(SessionSchema, {
    title: "old",
    model: "m1",
    profile: "p1",
    approvalMode: ApprovalMode.DEFAULT,
    usage: { inputTokens: 3n, outputTokens: 4n },
  });
  const found = createSessionFacts(session, nowMs);
  const see = (payload: Payload, turnId = "turn_1"): void =>
    found.see(create(EventSchema, { turnId, payload } as EventInit));
  return { found, see };
}

test("a turn runs from its beginning to its own end", () => {
  const { found, see } = facts();
  see({ case: "turnStarted", value: {} });
  expect([found.runningTurnId, found.runningSinceMs]).toEqual(["turn_1", 5000]);
  see({ case: "turnEnded", value: {} }, "turn_0");
  expect(found.runningTurnId).toBe("turn_1");
  see({ case: "turnEnded", value: {} });
  expect(found.runningTurnId).toBeUndefined();
});

test("tokens add up, and title, model and star are the last that were told", () => {
  const { found, see } = facts();
  see({ case: "usageReported", value: { usage: { inputTokens: 10n, outputTokens: 5n } } });
  see({ case: "modelChanged", value: { model: "m2", profile: "p2" } });
  see({ case: "sessionChanged", value: { session: { title: "new", model: "m2", profile: "p2", starred: true } } });
  expect(found).toMatchObject({ tokens: 22n, model: "m2", profile: "p2", title: "new", isStarred: true });
});

test("the mode is that of the session, then the last that was told", () => {
  const { found, see } = facts();
  expect(found.mode).toBe(ApprovalMode.DEFAULT);
  see({ case: "sessionChanged", value: { session: { approvalMode: ApprovalMode.TRUST_ALL } } });
  expect(found.mode).toBe(ApprovalMode.TRUST_ALL);
});

test("after another log began its old events change nothing, until the session as it is now is taken over", () => {
  const { found, see } = facts();
  found.forget();
  expect(found.isReplaying).toBe(true);
  see({ case: "sessionChanged", value: { session: { approvalMode: ApprovalMode.TRUST_ALL, title: "past" } } });
  see({ case: "modelChanged", value: { model: "past", profile: "past" } });
  see({ case: "usageReported", value: { usage: { inputTokens: 1n, outputTokens: 1n } } });
  expect(found).toMatchObject({ mode: ApprovalMode.DEFAULT, tokens: 2n });
  expect([found.title, found.model]).toEqual(["old", "m1"]);
  found.take(create(SessionSchema, { approvalMode: ApprovalMode.PLAN, title: "now", model: "m" }));
  expect(found).toMatchObject({ mode: ApprovalMode.PLAN, title: "now", isReplaying: false });
  see({ case: "sessionChanged", value: { session: { approvalMode: ApprovalMode.TRUST_ALL } } });
  expect(found.mode).toBe(ApprovalMode.TRUST_ALL);
});

test("what waits is in the order in which it will be taken up", () => {
  const { found, see } = facts();
  const queued = [
    { id: "a", kind: QueuedKind.FOLLOW_UP },
    { id: "b", kind: QueuedKind.STEER },
    { id: "c", kind: QueuedKind.FOLLOW_UP },
  ];
  see({ case: "queueChanged", value: { queued } });
  expect(found.queue.map(({ id }) => id)).toEqual(["b", "a", "c"]);
  // A steer that was not taken up becomes a follow-up.
  see({ case: "queueChanged", value: { queued: [{ id: "b", kind: QueuedKind.FOLLOW_UP }], removedIds: ["a"] } });
  expect(found.queue.map(({ id }) => id)).toEqual(["b", "c"]);
});
