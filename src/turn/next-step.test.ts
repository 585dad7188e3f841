import { expect, test } from "vitest";
import type { Budget } from "./limit/budget.ts";
import { nextStep, type TurnView } from "./next-step.ts";
import type { CallState, ToolCall } from "./call/tool-call-store.ts";
import { DEFAULT_LIMITS } from "./turn.ts";

const asked: TurnView["lastMessage"] = { role: "user", status: "complete", parts: [{ kind: "text", text: "hi" }] };
const answered: TurnView["lastMessage"] = { ...asked, role: "assistant" };

const BUDGET: Budget = {
  turnId: "turn_1",
  sessionId: "ses_1",
  limits: DEFAULT_LIMITS,
  maxSteps: 50,
  steps: 1,
  maxTokens: 0,
  tokens: 100,
};

function view(changes: Partial<TurnView>): TurnView {
  return {
    turn: { state: "running" },
    budgets: [BUDGET],
    limitRequest: undefined,
    lastMessage: asked,
    agentCalls: [],
    calls: [],
    steers: [],
    ...changes,
  };
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
  const turn = { state: "cancelling" } as const;
  expect(nextStep(view({ turn, calls: [call("a", "requested")] }))).toEqual({
    kind: "end",
    end: { reason: "cancelled" },
  });
});

test("a turn whose steps are used is at its limit, but not before its last calls have run", () => {
  const budgets = [{ ...BUDGET, steps: 50 }];
  expect(nextStep(view({ budgets }))).toEqual({
    kind: "limit",
    reached: { reason: "STEPS_EXHAUSTED", turnId: "turn_1", sessionId: "ses_1", used: 50, limit: 50, amount: 50 },
  });
  expect(nextStep(view({ budgets, calls: [call("a", "requested")] }))).toMatchObject({ kind: "run_tools" });
  expect(nextStep(view({ budgets, lastMessage: answered }))).toMatchObject({ end: { reason: "completed" } });
});

test("a turn whose tokens are used is at its limit; 0 is no limit", () => {
  const limited = view({ budgets: [{ ...BUDGET, maxTokens: 100 }] });
  expect(nextStep(limited)).toMatchObject({ kind: "limit", reached: { reason: "TOKENS_EXHAUSTED", used: 100 } });
  expect(nextStep(view({}))).toEqual({ kind: "call_model" });
});

test("the limit of a turn above holds, too, and says whose it is", () => {
  const above = { ...BUDGET, turnId: "turn_0", sessionId: "ses_0", maxSteps: 10, steps: 10 };
  expect(nextStep(view({ budgets: [BUDGET, above] }))).toMatchObject({
    kind: "limit",
    reached: { turnId: "turn_0", sessionId: "ses_0" },
  });
});

test("a turn that asked for more waits for the answer, has as much again where it is yes, and else ends", () => {
  const context = {
    reason: "STEPS_EXHAUSTED",
    used: 50,
    limit: 50,
    amount: 50,
    turn_id: "turn_1",
    session_id: "ses_1",
  };
  const request = { id: "req_1", state: "open", answer: undefined, context } as const;
  const budgets = [{ ...BUDGET, steps: 50 }];
  const answeredWith = (optionId: string) =>
    ({ ...request, state: "answered", answer: { kind: "option", optionId } }) as const;
  expect(nextStep(view({ budgets, limitRequest: request }))).toEqual({ kind: "wait" });
  expect(nextStep(view({ budgets, limitRequest: answeredWith("continue") }))).toMatchObject({
    kind: "grant",
    requestId: "req_1",
    reached: { reason: "STEPS_EXHAUSTED", amount: 50, turnId: "turn_1" },
  });
  const end = { kind: "end", end: { reason: "limit_reached", error: { reason: "STEPS_EXHAUSTED" } } };
  expect(nextStep(view({ budgets, limitRequest: answeredWith("stop") }))).toMatchObject(end);
  for (const state of ["dismissed", "cancelled", "expired"] as const) {
    expect(nextStep(view({ budgets, limitRequest: { ...request, state } }))).toMatchObject(end);
  }
});
