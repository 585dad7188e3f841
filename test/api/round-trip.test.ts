import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { type DescField, type DescMessage, type Message as ProtoMessage } from "@bufbuild/protobuf";
import { reflect, type ReflectMessage } from "@bufbuild/protobuf/reflect";
import {
  Access_Scope,
  ApprovalMode,
  AuditEntrySchema,
  EventSchema,
  MessageSchema,
  PermissionDecision,
  PermissionScope,
  Priority,
  RequestSchema,
  Role,
  RuleEffect,
  RuleSchema,
  SessionSchema,
  TokenSchema,
  TurnSchema,
  type Event,
} from "../../src/client/client.ts";
import type { Tool } from "../../src/tool/tool.ts";
import { createRiskyTools } from "../helpers/risky-tools.ts";
import { openPermission } from "./observe-requests.ts";
import { createSession, endOf, listMessages, listSessions, listTurns, replay, text, watchUntil } from "./observe.ts";
import { writeAgent } from "./files.ts";
import { says, startUpstream, type Upstream } from "./scripted-upstream.ts";
import { startTestEngine, type TestEngine } from "./test-engine.ts";

/** Everything a store holds, as clients see it. */
interface Everything {
  readonly sessions: readonly ProtoMessage[];
  readonly messages: readonly ProtoMessage[];
  readonly turns: readonly ProtoMessage[];
  readonly events: readonly Event[];
  readonly tokens: readonly ProtoMessage[];
  readonly requests: readonly ProtoMessage[];
  readonly rules: readonly ProtoMessage[];
  readonly audit: readonly ProtoMessage[];
}

/** What a store with ended turns only does not hold. */
const NOT_IN_SESSIONS = ["Session.running_turn_id"];

/** What comes in requests alone: it is a blob from then on. */
const NOT_STORED = ["Image.data", "File.data"];

/** What an answer writes holds until it is taken back. */
const NOT_IN_REQUESTS = ["Rule.expire_time"];

/** What the log does not tell, or not in this place. */
const NOT_IN_EVENTS = [
  ...NOT_STORED,
  "Session.running_turn_id",
  ...NOT_IN_REQUESTS,
  // turn_started has the turn as it began, turn_ended what became of it.
  "Turn.end_reason",
  "Turn.error",
  "Turn.steps",
  "Turn.end_time",
  // What waits is shown by its beginning; ListQueue has it whole.
  "QueuedMessage.parts",
  // Text on its way: the whole message takes its place, at the latest with a restart.
  "Event.text_delta",
  "TextDelta.message_id",
  "TextDelta.text",
  "Event.reasoning_delta",
  "ReasoningDelta.message_id",
  "ReasoningDelta.text",
  // Output on its way: the call's result takes its place in the same manner.
  "Event.tool_output_delta",
  "ToolOutputDelta.call_id",
  "ToolOutputDelta.stream",
  "ToolOutputDelta.data",
];

let upstream: Upstream;
let before: Everything;
let after: Everything;

const { tools } = createRiskyTools();

beforeAll(async () => {
  upstream = await startUpstream();
  const engine = await startTestEngine({
    openai: upstream.url,
    parts: { random: () => 0, tools: [rewrite, ...tools] },
  });
  const ids = await fill(engine);
  before = await readAll(engine, ids);
  const again = await engine.restart();
  after = await readAll(again, ids);
  await again.dispose();
  await upstream.close();
});

/** Brings about every kind of fact there is. */
async function fill(engine: TestEngine): Promise<string[]> {
  await engine.engine.createToken({ name: "ci", scope: Access_Scope.READ, lifetime: { seconds: 3600n } });
  await writeAgent(engine, "keeper", "tools: [now, todo]");
  const { id } = await createSession(engine, {
    agent: "keeper",
    title: "title",
    profile: "openai",
    model: "m-1",
    systemPrompt: "be brief",
    workspace: "/",
    labels: { a: "1", b: "2" },
    limits: {
      maxSteps: 3,
      maxTokens: 100_000n,
      maxWorkingTime: { seconds: 100n, nanos: 5_000_000 },
      maxSilence: { seconds: 20n },
      maxSilenceBeforeFirst: { seconds: 30n, nanos: 250_000_000 },
    },
    resumeAfterRestart: true,
    retryPartial: true,
    approvalMode: ApprovalMode.PLAN,
    rules: [{ effect: RuleEffect.DENY, scope: PermissionScope.SESSION, tool: "*", pattern: "secrets/" }],
  });
  await engine.permissions.createRule({
    rule: { effect: RuleEffect.ASK, scope: PermissionScope.WORKSPACE, tool: "shell", pattern: "git push *" },
    workspace: engine.dataDir,
    lifetime: { seconds: 3600n },
  });
  await engine.permissions.createRule({
    rule: { effect: RuleEffect.ALLOW, scope: PermissionScope.GLOBAL, tool: "shell", pattern: "git status" },
  });
  await engine.sessions.updateSession({ sessionId: id, starred: true, model: "m-2" });

  // One failed try, then thoughts, text, calls that are valid and not, then an answer that is cut, and a turn that ends at its limit.
  const usage = {
    prompt_tokens: 100,
    completion_tokens: 50,
    prompt_tokens_details: { cached_tokens: 60 },
    completion_tokens_details: { reasoning_tokens: 20 },
  };
  upstream.script((answer, _request, number) => {
    if (number === 1) return answer.fail(500);
    answer.reasoning("let me think");
    answer.text("let me look");
    answer.call("a", "now", '{"timezone":"Europe/Paris"}');
    answer.call("b", "now", "not json");
    answer.call("c", "todo", '{"items":[{"text":"look","state":"in_progress"}]}');
    answer.usage(usage);
    answer.end("tool_calls");
  });
  const image = { content: { case: "image" as const, value: { data: Buffer.from("GIF89a, as far as one can see") } } };
  const readme = { data: Buffer.from("# Read me"), mediaType: "text/markdown", name: "README.md" };
  const file = { content: { case: "file" as const, value: readme } };
  const limited = await engine.messages.startTurn({ sessionId: id, parts: [...text("go"), image, file] });
  await stopAtLimit(engine, id);
  await endOf(engine, limited.turn);
  upstream.script((answer) => {
    answer.text("cut");
    answer.usage(usage);
    answer.end("length");
  });
  await endOf(engine, (await engine.messages.retryTurn({ sessionId: id })).turn);

  // A cancelled turn, one that broke off, one that was never answered.
  const { id: other } = await createSession(engine, { title: "other" });
  upstream.script((answer) => answer.text("half"));
  const { turn } = await engine.messages.startTurn({ sessionId: other, parts: text("go") });
  await watchUntil(engine, other, ({ payload }) => payload.case === "textDelta");
  const waiting = await engine.messages.followUp({ sessionId: other, parts: text("later") });
  await engine.messages.removeQueued({ sessionId: other, queuedId: waiting.queuedId });
  await engine.messages.cancelTurn({ sessionId: other, turnId: turn!.id });
  upstream.script((answer) => {
    answer.text("half");
    setImmediate(() => answer.cut());
  });
  await endOf(engine, (await engine.messages.startTurn({ sessionId: other, parts: text("go") })).turn);
  upstream.script((answer) => answer.fail(401));
  await endOf(engine, (await engine.messages.startTurn({ sessionId: other, parts: text("go") })).turn);
  await askEverything(engine, id);
  // A history that was written by hand, edited and cut.
  const { id: written } = await createSession(engine, { title: "written" });
  const said: string[] = [];
  for (const words of ["question", "answer", "too much"]) {
    const { message } = await engine.sessions.appendMessage({
      sessionId: written,
      role: Role.USER,
      parts: text(words),
    });
    said.push(message!.id);
  }
  const [first = "", , last = ""] = said;
  await engine.sessions.rewindSession({ sessionId: written, messageId: last });
  await engine.sessions.updateMessage({ sessionId: written, messageId: first, parts: text("another question") });

  const files = await changeFiles(engine);

  const fork = (await engine.sessions.forkSession({ sessionId: id })).session!.id;
  await engine.sessions.updateSession({ sessionId: fork, title: "fork" });
  return [id, other, written, files, fork, ...(await delegate(engine)), ...(await permitEverything(engine))];
}

/** Says no to the turn that asks for more of its limit. */
async function stopAtLimit(engine: TestEngine, sessionId: string): Promise<void> {
  const request = await openPermission(engine, sessionId);
  await engine.requests.respondRequest({
    requestId: request.id,
    answer: { content: { case: "optionId", value: "stop" } },
  });
}

/** A session whose agent starts another one, and that one's. */
async function delegate(engine: TestEngine): Promise<string[]> {
  await writeAgent(engine, "helper", "profile: demo");
  const { id: parentSessionId } = await createSession(engine, { profile: "openai", title: "delegating" });
  upstream.script((answer, { messages }) => {
    if (messages.some(({ role }) => role === "tool")) return says(answer, "done");
    answer.call("a", "run_agent", '{"agent":"helper","task":"echo: hi"}');
    answer.end("tool_calls");
  });
  await endOf(engine, (await engine.messages.startTurn({ sessionId: parentSessionId, parts: text("go") })).turn);
  const [child] = (await engine.sessions.listSessions({ parentSessionId })).sessions;
  await engine.sessions.updateSession({ sessionId: child!.id, title: "delegated" });
  return [parentSessionId, child!.id];
}

/** Changes a file by a tool, a little and so much that its diff is a blob, and takes it back. Answers with the session. */
async function changeFiles(engine: TestEngine): Promise<string> {
  const { id } = await createSession(engine, { title: "files" });
  upstream.script((answer, _request, number) => {
    const text = { 1: "one\n", 2: "two\n".repeat(100_000) }[number - before];
    if (text === undefined) answer.text("done");
    else answer.call("a", "rewrite", JSON.stringify({ text }));
    answer.end(text === undefined ? "stop" : "tool_calls");
  });
  const before = upstream.requests.length;
  const { turn } = await engine.messages.startTurn({ sessionId: id, parts: text("go") });
  await endOf(engine, turn);
  await engine.sessions.revertFiles({ sessionId: id, turnId: turn!.id });
  return id;
}

/** Writes a file as the engine's own tools do, and tells of it at length, with a picture. */
const rewrite: Tool = {
  name: "rewrite",
  description: "Rewrites a file.",
  parameters: { type: "object" },
  assess: () => ({ risk: { level: "none", reason: "it is a test's" }, subjects: [] }),
  run: async (args, { workspace, changes }) => {
    const path = join(workspace, "a.txt");
    const after = Buffer.from((args as { text: string }).text);
    const before = await stat(path).then(
      async (stats) => ({ path, stats, bytes: await readFile(path) }),
      () => undefined,
    );
    await changes({ path: "a.txt", before, after, newFolders: 0 }, () => writeFile(path, after));
    return { text: "long ".repeat(20_000), images: [{ mediaType: "image/gif", bytes: Buffer.from("GIF89a") }] };
  },
};

/** One request of each end, and one that is open. */
async function askEverything(engine: TestEngine, sessionId: string): Promise<void> {
  const { requests } = engine;
  const options = ["a", "b"].map((optionId) => ({ id: optionId, label: `take ${optionId}`, description: "or not" }));
  const optionA = { content: { case: "optionId" as const, value: "a" } };
  const ask = async (question: object): Promise<string> => {
    const { request } = await requests.createRequest({
      sessionId,
      title: "which one?",
      body: "**This** or that.",
      context: { of: ["a", 1, true, null] },
      priority: Priority.HIGH,
      tags: ["one", "two"],
      lifetime: { seconds: 3600n },
      ...question,
    });
    return request!.id;
  };
  const open = await ask({ options, defaultAnswer: optionA });
  await requests.claimRequest({ requestId: open, claimed: true });
  await requests.respondRequest({ requestId: await ask({ options }), answer: optionA });
  await requests.respondRequest({ requestId: await ask({}), answer: { content: { case: "text", value: "neither" } } });
  const form = { type: "object", properties: { name: { type: "string" } } };
  const filled = { content: { case: "form" as const, value: { name: "Ada" } } };
  const claimed = await ask({ form });
  await requests.claimRequest({ requestId: claimed, claimed: true });
  await requests.respondRequest({ requestId: claimed, answer: filled });
  await requests.dismissRequest({ requestId: await ask({}), reason: "no time" });
  await requests.cancelRequest({ requestId: await ask({ sessionId: "" }), reason: "found it" });
  // The log tells what a session waits for with its next change.
  await engine.sessions.updateSession({ sessionId, starred: true });
  const brief = await ask({ options, defaultAnswer: optionA, lifetime: { nanos: 1_000_000 } });
  await requests.awaitRequest({ requestId: brief });
}

/** Calls that a human let run, with rules and changes, and one that is denied. */
async function permitEverything(engine: TestEngine): Promise<string[]> {
  upstream.script((answer, _request, number) => {
    if ((number - before) % 2 === 0) return answer.end();
    answer.call("a", "edit", '{"diff":"+ a line","path":"/notes.md"}');
    answer.end("tool_calls");
  });
  const before = upstream.requests.length;
  const { id: sessionId, workspace } = await createSession(engine, { profile: "openai" });
  expect(workspace).not.toBe("");
  const answers = [
    { decision: PermissionDecision.APPROVE, arguments: { less: true }, reason: "like so" },
    { decision: PermissionDecision.APPROVE, scope: PermissionScope.WORKSPACE },
    { decision: PermissionDecision.DENY, scope: PermissionScope.SESSION, reason: "not at all" },
  ];
  for (const answer of answers) {
    for (const { id: ruleId } of (await engine.permissions.listRules({ sessionId })).rules) {
      await engine.permissions.deleteRule({ ruleId });
    }
    const { turn } = await engine.messages.startTurn({ sessionId, parts: text("edit it") });
    await engine.permissions.resolvePermission({ requestId: (await openPermission(engine, sessionId)).id, ...answer });
    await endOf(engine, turn);
  }
  return [sessionId];
}

async function readAll(engine: TestEngine, ids: readonly string[]): Promise<Everything> {
  const flat = async <T>(list: (engine: TestEngine, id: string) => Promise<T[]>): Promise<T[]> =>
    (await Promise.all(ids.map((id) => list(engine, id)))).flat();
  const events = await flat(replay);
  return {
    sessions: await listSessions(engine),
    messages: await flat(listMessages),
    turns: await flat(listTurns),
    tokens: (await engine.engine.listTokens({})).tokens,
    requests: (await engine.requests.listRequests({ states: [1, 2, 3, 4, 5] })).requests,
    rules: (await engine.permissions.listRules({})).rules,
    audit: (await engine.engine.listAuditEntries({ action: "RULE_CREATED" })).entries,
    events: events.filter(({ payload }) => payload.case !== "textDelta" && payload.case !== "reasoningDelta"),
  };
}

/** The fields that are set somewhere in a message, as `Session.title`. */
function fieldsSetIn(message: ReflectMessage, found: Set<string>): void {
  for (const field of message.desc.fields) {
    if (!message.isSet(field)) continue;
    found.add(nameOf(field));
    if (field.fieldKind === "message") fieldsSetIn(message.get(field), found);
    if (field.fieldKind === "list" && field.listKind === "message") {
      for (const item of message.get(field)) fieldsSetIn(item as ReflectMessage, found);
    }
  }
}

/** Every field of a message and of the messages of this package in it. */
function allFields(schema: DescMessage, seen = new Set<DescMessage>()): string[] {
  if (seen.has(schema) || !schema.typeName.startsWith("parley.v1.")) return [];
  seen.add(schema);
  return schema.fields.flatMap((field) => [
    nameOf(field),
    ...(field.message === undefined ? [] : allFields(field.message, seen)),
  ]);
}

function nameOf(field: DescField): string {
  return `${field.parent.name}.${field.name}`;
}

describe.each([
  ["sessions", SessionSchema, NOT_IN_SESSIONS],
  ["messages", MessageSchema, NOT_STORED],
  ["turns", TurnSchema, []],
  ["events", EventSchema, NOT_IN_EVENTS],
  ["tokens", TokenSchema, []],
  ["requests", RequestSchema, NOT_IN_REQUESTS],
  ["rules", RuleSchema, []],
  ["audit", AuditEntrySchema, []],
] as const)("%s", (kind, schema, missing: readonly string[]) => {
  it("are the same after a restart", () => {
    expect(after[kind].length).toBeGreaterThan(0);
    expect(after[kind]).toEqual(before[kind]);
  });

  it("hold every field that there is", () => {
    const found = new Set<string>();
    for (const message of after[kind]) fieldsSetIn(reflect(schema, message as never), found);
    expect(
      allFields(schema)
        .filter((name) => !found.has(name))
        .toSorted(),
    ).toEqual(missing.toSorted());
  });
});
