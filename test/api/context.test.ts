import { rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type GetContextResponse, InstructionSource, Role } from "../../src/client/client.ts";
import { writeAgent } from "./files.ts";
import { createSession, endOf, listMessages, refusalOf, runTurn, text, watchUntil } from "./observe.ts";
import { says, startUpstream, type Upstream } from "./scripted-upstream.ts";
import { startTestEngine, type TestEngine } from "./test-engine.ts";
import { hang } from "./turn-engine.ts";

let upstream: Upstream;
let engine: TestEngine;
beforeEach(async () => {
  upstream = await startUpstream();
  engine = await startTestEngine({ openai: upstream.url });
});
afterEach(async () => {
  await engine.dispose();
  await upstream.close();
});

const ROLES = ["", "system", "user", "assistant", "tool"];

/** What the provider was sent, as JSON has it. */
interface Sent {
  readonly model: string;
  readonly messages: readonly { role: string; content: string | readonly { type: string }[] }[];
  readonly tools: readonly { function: { name: string; description: string; parameters: object } }[];
}
const lastSent = (): Sent => JSON.parse(JSON.stringify(upstream.requests.at(-1))) as Sent;

async function contextOf(sessionId: string, pageSize = 0): Promise<GetContextResponse> {
  const first = await engine.sessions.getContext({ sessionId, pageSize });
  for (let token = first.nextPageToken; token !== "";) {
    const page = await engine.sessions.getContext({ sessionId, pageSize, pageToken: token });
    first.messages.unshift(...page.messages);
    token = page.nextPageToken;
  }
  return first;
}

/** Asks what would be sent, has it sent, and compares. */
async function expectTrue(sessionId: string, pageSize?: number): Promise<GetContextResponse> {
  const context = await contextOf(sessionId, pageSize);
  upstream.script((answer) => says(answer, "ok"));
  await endOf(engine, (await engine.messages.retryTurn({ sessionId })).turn);
  const sent = lastSent();
  const [system] = sent.messages;
  expect(system?.content).toBe(context.instructions.map((one) => one.text).join("\n\n"));
  expect(sent.model).toBe(context.model);
  expect(sent.tools.map((tool) => tool.function)).toEqual(
    context.tools.map(({ name, description, parameters }) => ({ name, description, parameters })),
  );
  const roles = context.messages.map(({ role }) => ROLES[role]);
  expect(sent.messages.slice(1).map(({ role }) => role)).toEqual(roles);
  expect(context.messageCount).toBe(context.messages.length);
  return context;
}

it("what GetContext shows is what the provider is sent: instructions in order, tools, messages", async () => {
  await writeAgent(engine, "keeper", "tools: [now, todo]", "You keep things.");
  const { id: sessionId, workspace } = await createSession(engine, { agent: "keeper", systemPrompt: "Say please." });
  await writeFile(join(workspace, "AGENTS.md"), "Use tabs.\n");
  upstream.script((answer, { messages }) => {
    if (messages.at(-1)?.role === "tool") return says(answer, "done");
    answer.call("a", "now", "{}");
    answer.call("b", "now", "not json");
    answer.end("tool_calls");
  });
  await runTurn(engine, sessionId, "what time is it?");
  await engine.sessions.appendMessage({ sessionId, role: Role.USER, parts: text("and now?") });
  const context = await expectTrue(sessionId, 2);
  const { AGENT: agent, SESSION: session, WORKSPACE: file } = InstructionSource;
  expect(context.instructions.map(({ source, origin, text: said }) => [source, origin, said])).toEqual([
    [agent, "keeper", "You keep things."],
    [session, "", "Say please."],
    [file, join(workspace, "AGENTS.md"), "The workspace's AGENTS.md says:\n\nUse tabs."],
  ]);
  expect(context.tools.map(({ name, origin }) => [name, origin])).toEqual([
    ["now", "engine"],
    ["todo", "engine"],
  ]);
  expect(context.profile).toBe("openai");
  const stored = await listMessages(engine, sessionId);
  // Results come in the order of their calls, whichever ended first.
  expect(context.messages.map(({ messageId }) => messageId).toSorted()).toEqual(
    stored
      .slice(0, context.messages.length)
      .map(({ id }) => id)
      .toSorted(),
  );
});

it("estimates add up, and grow with what is said", async () => {
  const { id: sessionId } = await createSession(engine, { systemPrompt: "x".repeat(400) });
  await engine.sessions.appendMessage({ sessionId, role: Role.USER, parts: text("y".repeat(4000)) });
  const { instructions, tools, messages, estimatedTokens } = await contextOf(sessionId);
  expect(instructions.map((one) => one.estimatedTokens)).toEqual([100n]);
  expect(messages.map((one) => one.estimatedTokens)).toEqual([1000n]);
  const all = [...instructions, ...tools, ...messages].reduce((sum, one) => sum + one.estimatedTokens, 0n);
  expect(estimatedTokens).toBe(all);
});

it("a file that changes between two calls of a turn is told as it is at each", async () => {
  const { id: sessionId, workspace } = await createSession(engine);
  const file = join(workspace, "AGENTS.md");
  upstream.script(async (answer, { messages }) => {
    if (messages.at(-1)?.role === "tool") return says(answer, "done");
    await writeFile(file, "New rules.");
    answer.call("a", "now", "{}");
    answer.end("tool_calls");
  });
  await runTurn(engine, sessionId, "go");
  const systems = upstream.requests.map(({ messages }) => messages.find(({ role }) => role === "system")?.content);
  expect(systems).toEqual([undefined, "The workspace's AGENTS.md says:\n\nNew rules."]);
});

it("an AGENTS.md that leads out of the workspace is not followed, and the turn goes on", async () => {
  const { id: sessionId, workspace } = await createSession(engine);
  await symlink(join(engine.dataDir, "token"), join(workspace, "AGENTS.md"));
  await runTurn(engine, sessionId, "go");
  expect(JSON.stringify(lastSent())).not.toContain(engine.token);
  const { instructions } = await contextOf(sessionId);
  expect(instructions[0]?.text).toContain("AGENTS.md that is not used");
  await rm(join(workspace, "AGENTS.md"));
  expect((await contextOf(sessionId)).instructions).toEqual([]);
});

it("a call that runs has no result yet, and one that was cancelled has what the model is told of it", async () => {
  const { id: sessionId } = await createSession(engine);
  await engine.stop();
  engine = await engine.restart({ tools: [hang] });
  upstream.script((answer) => {
    answer.call("a", "hang", "{}");
    answer.end("tool_calls");
  });
  const { turn } = await engine.messages.startTurn({ sessionId, parts: text("go") });
  await watchUntil(engine, sessionId, ({ payload }) => payload.case === "toolCallStarted");
  const during = await contextOf(sessionId);
  expect(during.messages.map(({ role }) => ROLES[role])).toEqual(["user", "assistant"]);
  await engine.messages.cancelTurn({ sessionId, turnId: turn!.id });
  const after = await expectTrue(await withSystem(sessionId));
  expect(after.messages.map(({ role }) => ROLES[role])).toEqual(["user", "assistant", "tool"]);
});

/** With instructions, as `expectTrue` wants them. */
async function withSystem(sessionId: string): Promise<string> {
  await engine.sessions.updateSession({ sessionId, systemPrompt: "be brief" });
  return sessionId;
}

it("a running turn's own model is the one that is shown", async () => {
  const { id: sessionId } = await createSession(engine);
  expect((await contextOf(sessionId)).messages).toEqual([]);
  let ask: (() => void) | undefined;
  upstream.script((answer) => {
    ask = () => {
      answer.call("a", "now", "{}");
      answer.end("tool_calls");
    };
  });
  const { turn } = await engine.messages.startTurn({ sessionId, parts: text("go"), model: "another" });
  while (upstream.requests.length === 0) await new Promise((resolve) => setImmediate(resolve));
  const during = await contextOf(sessionId);
  expect([during.model, during.messages.length]).toEqual(["another", 1]);
  upstream.script((answer) => says(answer, "done"));
  ask?.();
  await endOf(engine, turn);
  expect((await contextOf(sessionId)).model).toBe("scripted-1");
});

it("pages go back to the first message, each once, whatever is added meanwhile", async () => {
  const { id: sessionId } = await createSession(engine);
  const add = (words: string) => engine.sessions.appendMessage({ sessionId, role: Role.USER, parts: text(words) });
  const ids: string[] = [];
  for (let i = 0; i < 7; i++) ids.push((await add(String(i))).message!.id);
  const seen: string[] = [];
  let pageToken = "";
  do {
    const page = await engine.sessions.getContext({ sessionId, pageSize: 3, pageToken });
    seen.unshift(...page.messages.map(({ messageId }) => messageId));
    pageToken = page.nextPageToken;
    await add("later");
  } while (pageToken !== "");
  expect(seen).toEqual(ids);
});

it("tokens of other sessions are refused, and so are sessions whose profile is gone", async () => {
  const { id: sessionId } = await createSession(engine);
  for (const words of ["a", "b"])
    await engine.sessions.appendMessage({ sessionId, role: Role.USER, parts: text(words) });
  const { nextPageToken: pageToken } = await engine.sessions.getContext({ sessionId, pageSize: 1 });
  const { id: other } = await createSession(engine);
  const foreign = engine.sessions.getContext({ sessionId: other, pageToken });
  expect(await refusalOf(foreign)).toMatchObject({ reason: "INVALID_PAGE_TOKEN" });
  expect(await refusalOf(engine.sessions.getContext({ sessionId: "ses_none" }))).toMatchObject({
    code: "NOT_FOUND",
    reason: "SESSION_NOT_FOUND",
  });
});
