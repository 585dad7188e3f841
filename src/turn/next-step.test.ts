import { expect, test } from "vitest";
import { NO_USAGE } from "../usage/usage.ts";
import { nextStep, type TurnView } from "./next-step.ts";
import type { CallState, ToolCall } from "./tool-call-store.ts";
import { DEFAULT_LIMITS } from "./turn.ts";

const asked: TurnView["lastMessage"] = { role: "user", status: "complete", parts: [{ kind: "text", text: "hi" }] };
const answered: TurnView["lastMessage"] = { ...asked, role: "assistant" };

function view(changes: Partial<TurnView>): TurnView {
  const turn = { state: "running", steps: 0, usage: NO_USAGE } as const;
  return { turn, limits: DEFAULT_LIMITS, lastMessage: asked, calls: [], steers: [], ...changes };
}

function call(id: string, state: CallState): ToolCall {
  return {
    id,
    messageId: "msg_1",
    name: "now",
    arguments: {},
    invalidArguments: "",
    state,
    hash: "",
    decision: undefined,
    requestId: "",
    isEdited: false,
  };
}

test("after a user's message the model is called", () => {
  expect(nextStep(view({}))).toEqual({ kind: "call_model" });
});

test("a retry that has said nothing yet calls the model", () => {
  expect(nextStep(view({ lastMessage: undefined }))).toEqual({ kind: "call_model" });
});

test("an answer without calls completes the turn, even one without words", () => {
  expect(nextStep(view({ lastMessage: answered }))).toEqual({ kind: "end", end: { reason: "completed" } });
  expect(nextStep(view({ lastMessage: { ...answered, parts: [] } }))).toMatchObject({ kind: "end" });
});

test.each(["failed", "cancelled", "interrupted"] as const)("a %s answer is no answer", (status) => {
  expect(nextStep(view({ lastMessage: { ...answered, status } }))).toEqual({ kind: "call_model" });
});

test("calls that were asked for are run, those that have begun are not", () => {
  const calls = [call("a", "succeeded"), call("b", "requested"), call("c", "started"), call("d", "requested")];
  expect(nextStep(view({ calls }))).toMatchObject({ kind: "run_tools", calls: [{ id: "b" }, { id: "d" }] });
});

test.each(["succeeded", "failed", "unknown", "cancelled"] as const)(
  "after a call that is %s the model is called",
  (state) => {
    const lastMessage = { ...answered, role: "tool" } as const;
    expect(nextStep(view({ lastMessage, calls: [call("a", state)] }))).toEqual({ kind: "call_model" });
  },
);

test("a cancel goes before everything else", () => {
  const turn = { state: "cancelling", steps: 0, usage: NO_USAGE } as const;
  expect(nextStep(view({ turn, calls: [call("a", "requested")] }))).toEqual({
    kind: "end",
    end: { reason: "cancelled" },
  });
});

test("a turn ends where its steps are used, but not before its last calls have run", () => {
  const limits = { ...DEFAULT_LIMITS, maxSteps: 2 };
  const turn = { state: "running", steps: 2, usage: NO_USAGE } as const;
  expect(nextStep(view({ turn, limits }))).toMatchObject({
    end: { reason: "limit_reached", error: { reason: "STEPS_EXHAUSTED" } },
  });
  expect(nextStep(view({ turn, limits, calls: [call("a", "requested")] }))).toMatchObject({ kind: "run_tools" });
  expect(nextStep(view({ turn, limits, lastMessage: answered }))).toMatchObject({ end: { reason: "completed" } });
});

test("a turn ends where its tokens are used; 0 is no limit", () => {
  const turn = { state: "running", steps: 1, usage: { ...NO_USAGE, inputTokens: 60, outputTokens: 40 } } as const;
  const limited = view({ turn, limits: { ...DEFAULT_LIMITS, maxTokens: 100 } });
  expect(nextStep(limited)).toMatchObject({ end: { reason: "limit_reached", error: { reason: "TOKENS_EXHAUSTED" } } });
  expect(nextStep(view({ turn }))).toEqual({ kind: "call_model" });
});
