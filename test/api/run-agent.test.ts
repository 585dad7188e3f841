import { expect, it } from "vitest";
import {
  ApprovalMode,
  PermissionDecision,
  PermissionScope,
  RequestKind,
  RuleEffect,
  SessionState,
  TurnEndReason,
  type Request,
  type Session,
  type Turn,
} from "../../src/client/client.ts";
import { createRiskyTools } from "../helpers/risky-tools.ts";
import { writeAgent } from "./files.ts";
import { createSession, endOf, kindsOf, refusalOf, replay } from "./observe.ts";
import { isValidHistory, says, type Answer, type ChatRequest } from "./scripted-upstream.ts";
import { expectClosed, hang, useTurns } from "./turn-engine.ts";

const turns = useTurns();

/** A machine that does other things too takes its time. */

/** What each agent says, step by step: an answer, or calls as `[tool, arguments]`. The one that a human talks to is `root`. */
type Script = Readonly<Record<string, readonly (string | readonly (readonly [tool: string, args: object])[])[]>>;

/** Who is speaking: the definition's instructions are `You are NAME.` */
function speaker({ messages }: ChatRequest): string {
  const system = messages.find(({ role }) => role === "system")?.content ?? "";
  return /You are (\S+)\./.exec(system)?.[1] ?? "root";
}

function play(script: Script): void {
  turns.upstream.script((answer: Answer, request) => {
    expect(isValidHistory(request.messages)).toBe(true);
    const said = request.messages.filter(({ role }) => role === "assistant").length;
    const step = script[speaker(request)]?.[said] ?? "done";
    if (typeof step === "string") return says(answer, step);
    for (const [i, [tool, args]] of step.entries()) answer.call(`up_${said}_${i}`, tool, JSON.stringify(args));
    answer.end("tool_calls");
  });
}

const run = (agent: string, task = `the task of ${agent}`) => ["run_agent", { agent, task }] as const;

/** An engine with these definitions, and a turn of a session that follows the script. */
async function begin(script: Script, agents: Readonly<Record<string, string>>, settings: object = {}) {
  const risky = createRiskyTools();
  await turns.start({ tools: [...risky.tools, hang] });
  for (const [name, text] of Object.entries(agents)) await writeAgent(turns.engine, name, text);
  play(script);
  const { id: sessionId } = await createSession(turns.engine, { profile: "openai", ...settings });
  return { risky, sessionId, turn: await turns.startTurn(sessionId) };
}

/** What a speaker's model was told of its calls, in its last request. */
function told(who: string): string[] {
  const last = turns.upstream.requests.findLast((request) => speaker(request) === who);
  return (last?.messages ?? []).flatMap(({ role, content }) => (role === "tool" ? [String(content)] : []));
}

async function children(parentSessionId: string): Promise<Session[]> {
  return (await turns.engine.sessions.listSessions({ parentSessionId, order: 2 })).sessions;
}

async function getSession(sessionId: string): Promise<Session> {
  return (await turns.engine.sessions.getSession({ sessionId })).session!;
}

async function openRequests(rootSessionId: string, count: number): Promise<Request[]> {
  const list = async () => (await turns.engine.requests.listRequests({ rootSessionId })).requests;
  await expect.poll(async () => (await list()).length).toBe(count);
  return list();
}

async function nothingInMemory(): Promise<void> {
  await expect.poll(async () => (await turns.engine.engine.getStatus({})).runningTurns).toBe(0);
}

const completed = async (turn: Turn) =>
  expect(await endOf(turns.engine, turn)).toMatchObject({ endReason: TurnEndReason.COMPLETED });

it("another agent does the task in a session of its own, and what it says last is the result", async () => {
  const { sessionId, turn } = await begin(
    { root: [[run("helper", "Count \u202Ethe files.\nAll of them.")]], helper: [[["none", {}]], "There are 3."] },
    { helper: "tools: [none]\nmode: plan" },
  );
  await completed(turn);
  expect(told("root")).toEqual(["There are 3."]);
  const [child] = await children(sessionId);
  expect(child).toMatchObject({
    parentSessionId: sessionId,
    agent: "helper",
    title: "Count the files.",
    workspace: (await getSession(sessionId)).workspace,
    approvalMode: ApprovalMode.PLAN,
    profile: "openai",
    state: SessionState.IDLE,
  });
  const asked = turns.upstream.requests.find((request) => speaker(request) === "helper")!;
  expect(asked.messages.at(-1)).toMatchObject({ role: "user", content: "Count \u202Ethe files.\nAll of them." });
  expectClosed(await replay(turns.engine, sessionId));
  expectClosed(await replay(turns.engine, child!.id));
});

it("agents that are started in one answer work side by side", async () => {
  const { sessionId, turn } = await begin(
    { root: [[run("a"), run("b")]], a: [[["none", { hang: true }]], "A."], b: ["B."] },
    { a: "", b: "" },
  );
  await expect
    .poll(async () => (await children(sessionId)).map(({ agent, state }) => `${agent} ${state}`).toSorted())
    .toEqual([`a ${SessionState.RUNNING}`, `b ${SessionState.IDLE}`]);
  expect((await getSession(sessionId)).runningTurnId).toBe(turn.id);
  await turns.engine.messages.cancelTurn({ sessionId });
});

it("what an agent asks is asked of the human: told in the root's log, and waited for all the way up", async () => {
  const { sessionId, turn, risky } = await begin(
    { root: [[run("a")]], a: [[run("b")], "A."], b: [[["edit", { path: "/x/notes" }]], "B."] },
    { a: "agents: [b]", b: "" },
  );
  const [request] = await openRequests(sessionId, 1);
  const [a] = await children(sessionId);
  const [b] = await children(a!.id);
  expect(request).toMatchObject({ kind: RequestKind.PERMISSION, sessionId: b!.id, rootSessionId: sessionId });
  await nothingInMemory();
  for (const id of [sessionId, a!.id, b!.id]) {
    const session = await getSession(id);
    expect([session.state, session.waitingOn?.requestIds]).toEqual([SessionState.WAITING, [request!.id]]);
  }
  const snapshot = await turns.engine.sessions.getSnapshot({ sessionId });
  expect(snapshot.requests.map(({ id }) => id)).toEqual([request!.id]);
  const opened = async () => kindsOf(await replay(turns.engine, sessionId)).filter((kind) => /request/.test(kind));
  await expect.poll(opened).toEqual(["requestOpened"]);

  await turns.engine.permissions.resolvePermission({ requestId: request!.id, decision: PermissionDecision.APPROVE });
  await completed(turn);
  expect(risky.ran).toHaveLength(1);
  expect(told("root")).toEqual(["A."]);
  expect(told("a")).toEqual(["B."]);
  await expect.poll(opened).toEqual(["requestOpened", "requestResolved"]);
  expect((await getSession(sessionId)).waitingOn).toBeUndefined();
});

it("all of it outlives a restart while a human is waited for", async () => {
  const { sessionId, turn } = await begin(
    { root: [[run("a"), ["none", {}]]], a: [[["ask_human", { question: "Which?" }]], "A."] },
    { a: "" },
  );
  const [request] = await openRequests(sessionId, 1);
  await nothingInMemory();
  turns.engine = await turns.engine.restart();
  const [again] = await openRequests(sessionId, 1);
  expect(again).toEqual(request);
  const answer = { content: { case: "text" as const, value: "this" } };
  await turns.engine.requests.respondRequest({ requestId: again!.id, answer });
  await completed(turn);
  expect(told("a")).toEqual(["this"]);
  expect(told("root").toSorted()).toEqual(["A.", "did none"]);
});

it("an engine that stops while an agent works tells the one that waits what became of it", async () => {
  const { sessionId, turn } = await begin({ root: [[run("a")]], a: [[["hang", {}]]] }, { a: "" });
  await expect.poll(() => turns.upstream.requests.length).toBe(2);
  await expect.poll(async () => (await getSession(sessionId)).state).toBe(SessionState.WAITING);
  turns.engine = await turns.engine.restart();
  await completed(turn);
  expect(told("root")[0]).toMatch(/^The agent ended before it was done \(ENGINE_STOPPED\)/);
  expectClosed(await replay(turns.engine, sessionId));
});

it("a cancel reaches every level, and leaves no request and no call open", async () => {
  const { sessionId, turn } = await begin(
    { root: [[run("a"), run("c")]], a: [[run("b")]], b: [[["edit", {}]]], c: [[["hang", {}]]] },
    { a: "agents: [b]", b: "", c: "" },
  );
  const [request] = await openRequests(sessionId, 1);
  await expect.poll(async () => (await children(sessionId)).length).toBe(2);
  const cancelled = await turns.engine.messages.cancelTurn({ sessionId, turnId: turn.id });
  expect(cancelled.turn).toMatchObject({ endReason: TurnEndReason.CANCELLED });
  const direct = await children(sessionId);
  const below = (await Promise.all(direct.map(({ id }) => children(id)))).flat();
  expect(below).toHaveLength(1);
  for (const { id } of [...direct, ...below]) {
    const { turns: all } = await turns.engine.messages.listTurns({ sessionId: id });
    expect(all.map(({ endReason }) => endReason)).toEqual([TurnEndReason.CANCELLED]);
    expectClosed(await replay(turns.engine, id));
  }
  expectClosed(await replay(turns.engine, sessionId));
  expect(await refusalOf(turns.engine.requests.cancelRequest({ requestId: request!.id }))).toMatchObject({
    reason: "ALREADY_RESOLVED",
  });
  expect((await getSession(sessionId)).waitingOn).toBeUndefined();
  await nothingInMemory();
});

it("an agent that fails, is cancelled or is deleted is told to the one that waits", async () => {
  const { sessionId, turn } = await begin(
    { root: [[run("a"), run("b")]], a: ["half", [["hang", {}]]], b: [[["hang", {}]]] },
    { a: "", b: "" },
  );
  await expect.poll(async () => (await children(sessionId)).length).toBe(2);
  const b = (await children(sessionId)).find(({ agent }) => agent === "b")!;
  await turns.engine.sessions.deleteSession({ sessionId: b.id });
  await completed(turn);
  expect(told("root").toSorted()).toEqual([
    expect.stringMatching(/^The agent('s session)? was (cancelled|deleted)/),
    "half",
  ]);
});

it("a session takes what its agents started along when it is deleted", async () => {
  const { sessionId } = await begin(
    { root: [[run("a")]], a: [[run("b")]], b: [[["edit", {}]]] },
    { a: "agents: [b]", b: "" },
  );
  await openRequests(sessionId, 1);
  await turns.engine.sessions.deleteSession({ sessionId });
  expect((await turns.engine.sessions.listSessions({})).sessions).toEqual([]);
  expect((await turns.engine.requests.listRequests({})).requests).toEqual([]);
  await nothingInMemory();
});

it("an agent is never freer than the one that started it, and rules of that one hold for it", async () => {
  const rules = [
    { effect: RuleEffect.ALLOW, scope: PermissionScope.SESSION, tool: "edit", pattern: "" },
    { effect: RuleEffect.DENY, scope: PermissionScope.SESSION, tool: "read", pattern: "" },
  ];
  const { sessionId, turn, risky } = await begin(
    {
      root: [[run("bold")]],
      bold: [
        [
          ["edit", {}],
          ["read", {}],
          ["destructive", {}],
        ],
        "B.",
      ],
    },
    { bold: "mode: trust_all" },
    { rules },
  );
  const [request] = await openRequests(sessionId, 1);
  expect(request!.permission?.tool).toBe("destructive");
  await turns.engine.permissions.resolvePermission({ requestId: request!.id, decision: PermissionDecision.DENY });
  await completed(turn);
  expect(risky.ran).toEqual(["edit {}"]);
  expect((await children(sessionId))[0]!.approvalMode).toBe(ApprovalMode.DEFAULT);
});

it("control: below a session that trusts all, the same agent asks nobody", async () => {
  const { turn, risky } = await begin(
    { root: [[run("bold")]], bold: [[["destructive", {}]], "B."] },
    { bold: "mode: trust_all" },
    { approvalMode: ApprovalMode.TRUST_ALL },
  );
  await completed(turn);
  expect(risky.ran).toEqual(["destructive {}"]);
});

it("steps of agents count as those of the turn that started them; what is granted is granted to that one", async () => {
  const steps = Array.from({ length: 10 }, () => [["none", {}]] as const);
  const { sessionId, turn } = await begin(
    { root: [[run("a")]], a: [...steps.slice(0, 5), "A."] },
    { a: "" },
    { limits: { maxSteps: 4 } },
  );
  const [request] = await openRequests(sessionId, 1);
  const [child] = await children(sessionId);
  expect(request).toMatchObject({
    kind: RequestKind.LIMIT,
    sessionId: child!.id,
    context: { reason: "STEPS_EXHAUSTED", used: 4, limit: 4, session_id: sessionId },
  });
  await turns.engine.requests.respondRequest({
    requestId: request!.id,
    answer: { content: { case: "optionId", value: "continue" } },
  });
  await completed(turn);
  expect(told("root")).toEqual(["A."]);
  expect((await turns.engine.messages.listTurns({ sessionId: child!.id })).turns[0]!.steps).toBe(6);
});

it("an agent at the limit of the turn above ends where nobody grants more, and says why", async () => {
  const { sessionId, turn } = await begin(
    { root: [[run("a")]], a: Array.from({ length: 9 }, () => [["none", {}]] as const) },
    { a: "" },
    { limits: { maxSteps: 3 }, approvalMode: ApprovalMode.RESTRICTED },
  );
  expect(await endOf(turns.engine, turn)).toMatchObject({
    endReason: TurnEndReason.LIMIT_REACHED,
    error: { reason: "STEPS_EXHAUSTED" },
  });
  const [child] = await children(sessionId);
  const [inner] = (await turns.engine.messages.listTurns({ sessionId: child!.id })).turns;
  expect(inner).toMatchObject({ endReason: TurnEndReason.LIMIT_REACHED, steps: 2 });
});

it("three levels are as deep as it goes", async () => {
  const { turn } = await begin({ root: [[run("a")]], a: [[run("a")], "up"] }, { a: "agents: [a]" });
  await completed(turn);
  expect((await turns.engine.sessions.listSessions({})).sessions).toHaveLength(4);
  const told = turns.upstream.requests.flatMap(({ messages }) => messages.map(({ content }) => content ?? ""));
  expect(told.filter((text) => text.includes("at most 3 levels deep"))).toHaveLength(1);
});

it("a ninth agent at once is refused, and the eight go on", async () => {
  const { sessionId, turn } = await begin(
    { root: [Array.from({ length: 10 }, () => run("a"))], a: [[["ask_human", { question: "?" }]], "A."] },
    { a: "" },
  );
  const requests = await openRequests(sessionId, 8);
  expect(await children(sessionId)).toHaveLength(8);
  const answer = { content: { case: "text" as const, value: "!" } };
  await Promise.all(requests.map(({ id: requestId }) => turns.engine.requests.respondRequest({ requestId, answer })));
  await completed(turn);
  const results = told("root");
  expect(results.filter((text) => text === "A.")).toHaveLength(8);
  expect(results.filter((text) => text.startsWith("8 agents are at work"))).toHaveLength(2);
});

it("only agents that a definition allows are started, and only those that there are", async () => {
  const { sessionId, turn } = await begin(
    { root: [[run("a"), run("nobody"), run("broken")]], a: [[run("b"), run("c")], "A."], b: ["B."], c: ["C."] },
    { a: "agents: [b]", b: "", c: "", broken: "colour: red" },
  );
  await completed(turn);
  expect(told("a")).toEqual(["B.", expect.stringContaining("this agent may not start it")]);
  expect(told("root")).toEqual([
    "A.",
    expect.stringContaining("there is no agent definition nobody"),
    expect.stringContaining("colour: is not known"),
  ]);
  expect(await children(sessionId)).toHaveLength(1);
});

/** How a speaker's model was told of the tool; undefined = it was not offered. */
function offeredTo(who: string): string | undefined {
  const request = turns.upstream.requests.find((one) => speaker(one) === who) as ChatRequest & {
    readonly tools?: readonly { readonly function: { readonly name: string; readonly description: string } }[];
  };
  return request.tools?.find((tool) => tool.function.name === "run_agent")?.function.description;
}

it("the tool is offered where there is an agent to start, with the names of those", async () => {
  const { turn } = await begin(
    { root: [[run("a")]], a: [[run("b")], "A."], b: ["B."] },
    { a: "tools: [now]\nagents: [b]", b: "", broken: "colour: red" },
  );
  await completed(turn);
  expect(offeredTo("root")).toMatch(/\n- a: the agent a\n- b: the agent b$/);
  expect(offeredTo("a")).toMatch(/There are:\n- b: the agent b$/);
  expect(offeredTo("b")).toBeUndefined();
});

it.each([
  [{ agent: "a" }, "task is missing"],
  [{ agent: "a", task: " " }, "task must say what is to be done"],
  [{ agent: "", task: "t" }, "agent must be the name of an agent"],
  [{ agent: 1, task: "t" }, "agent must be a string"],
  [{ agent: "../a", task: "t" }, "there is no agent definition"],
  [{ agent: "a", task: "t", mode: "trust_all" }, 'there is no argument "mode"'],
  [{ agent: "a", task: "x".repeat(65_537) }, "task has 65537 characters"],
])("wrong arguments %# start nothing: the model is told why", async (args, why) => {
  const { sessionId, turn } = await begin({ root: [[["run_agent", args]]] }, { a: "" });
  await completed(turn);
  expect(told("root")[0]).toContain(why);
  expect(await children(sessionId)).toEqual([]);
});
