import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { AgentSource, ApprovalMode, type AgentDefinition, type Session } from "../../src/client/client.ts";
import { exported, importFile, writeAgent } from "./files.ts";
import { endOf, refusalOf, text } from "./observe.ts";
import { startUpstream, type ChatRequest, type Upstream } from "./scripted-upstream.ts";
import { startTestEngine, type TestEngine } from "./test-engine.ts";

let upstream: Upstream;
let engine: TestEngine;
let folder: string;
beforeEach(async () => {
  upstream = await startUpstream();
  engine = await startTestEngine({ openai: upstream.url });
  folder = await realpath(await mkdtemp(join(tmpdir(), "parley-agents-")));
});
afterEach(async () => {
  await engine.dispose();
  await upstream.close();
  await rm(folder, { recursive: true });
});

const make = async (request: object): Promise<Session> => (await engine.sessions.createSession(request)).session!;

const list = async (workspace = ""): Promise<AgentDefinition[]> =>
  (await engine.agents.listAgentDefinitions({ workspace })).agents;

const writeOfWorkspace = async (name: string, settings = "description: d"): Promise<void> => {
  await mkdir(join(folder, ".parley/agents"), { recursive: true });
  await writeFile(join(folder, ".parley/agents", `${name}.md`), `---\n${settings}\n---\nBe ${name}.\n`);
};

/** What a provider was sent in a session's first turn. */
async function requestOf(sessionId: string) {
  upstream.script((answer) => {
    answer.text("done");
    answer.end("stop");
  });
  await endOf(engine, (await engine.messages.startTurn({ sessionId, parts: text("go") })).turn);
  const { messages, tools = [] } = upstream.requests.at(-1) as ChatRequest & {
    readonly tools?: readonly { readonly function: { readonly name: string } }[];
  };
  return {
    system: messages.filter(({ role }) => role === "system").map(({ content }) => content),
    tools: tools.map((tool) => tool.function.name),
  };
}

test("a definition fills in what the caller leaves open, and its instructions come before the system prompt", async () => {
  await writeAgent(engine, "brief", "profile: openai\nmodel: small\ntools: [now]\nmode: plan\nlimits: {max_steps: 7}");
  const session = await make({ agent: "brief", systemPrompt: "Say please." });
  expect(session).toMatchObject({
    agent: "brief",
    profile: "openai",
    model: "small",
    approvalMode: ApprovalMode.PLAN,
    limits: { maxSteps: 7, maxTokens: 0n },
    systemPrompt: "Say please.",
  });
  expect(await requestOf(session.id)).toEqual({ system: ["You are brief.\n\nSay please."], tools: ["now"] });
});

test("what the caller says wins, and a profile of the caller's own does not get the definition's model", async () => {
  await writeAgent(engine, "brief", "profile: demo\nmodel: small\nmode: plan\nlimits: {max_steps: 7, max_tokens: 9}");
  const session = await make({
    agent: "brief",
    profile: "openai",
    approvalMode: ApprovalMode.TRUST_ALL,
    limits: { maxSteps: 3 },
  });
  expect(session).toMatchObject({
    profile: "openai",
    model: "scripted-1",
    approvalMode: ApprovalMode.TRUST_ALL,
    limits: { maxSteps: 3, maxTokens: 9n },
  });
});

test("a mode that asks less than the engine's default is the caller's alone to set", async () => {
  await writeAgent(engine, "bold", "mode: trust_all");
  expect(await refusalOf(engine.sessions.createSession({ agent: "bold" }))).toMatchObject({
    code: "FAILED_PRECONDITION",
    reason: "AGENT_UNUSABLE",
  });
  expect(await make({ agent: "bold", approvalMode: ApprovalMode.TRUST_ALL })).toMatchObject({ agent: "bold" });
  expect((await engine.sessions.listSessions({})).sessions).toHaveLength(1);
});

test("a tool that it does not name is not offered, and not run where a model calls it all the same", async () => {
  await writeAgent(engine, "mute", "tools: []");
  const { id } = await make({ agent: "mute", profile: "openai" });
  expect(await requestOf(id)).toEqual({ system: ["You are mute."], tools: [] });
  upstream.script((answer, _request, number) => {
    if (number === 2) answer.call("a", "now", "{}");
    else answer.text("well");
    answer.end(number === 2 ? "tool_calls" : "stop");
  });
  await endOf(engine, (await engine.messages.startTurn({ sessionId: id, parts: text("what time is it?") })).turn);
  const said = JSON.stringify((await engine.sessions.listMessages({ sessionId: id })).messages, (_, value: unknown) =>
    typeof value === "bigint" ? String(value) : value,
  );
  expect(said).toContain("There is no tool named now.");
});

test("a session keeps the definition it was made by: changes count for the next one, over a restart too", async () => {
  await writeAgent(engine, "keeper", "profile: openai", "One.");
  const { id } = await make({ agent: "keeper" });
  await writeAgent(engine, "keeper", "profile: openai", "Two.");
  expect((await requestOf(id)).system).toEqual(["One."]);
  engine = await engine.restart();
  await rm(join(engine.dataDir, "agents/keeper.md"));
  expect((await requestOf(id)).system).toEqual(["One."]);
  expect(await refusalOf(engine.sessions.createSession({ agent: "keeper" }))).toMatchObject({
    code: "NOT_FOUND",
    reason: "AGENT_NOT_FOUND",
    metadata: { agent: "keeper" },
  });
});

test("the owner's folder and the files in it may be links, and what these lead to counts as it is now", async () => {
  const elsewhere = join(folder, "definitions");
  const write = (said: string): Promise<void> =>
    writeFile(join(folder, "linked.txt"), `---\ndescription: ${said}\n---\n`);
  await mkdir(elsewhere);
  await write("one");
  await symlink(join(folder, "linked.txt"), join(elsewhere, "linked.md"));
  await symlink(join(folder, "nothing"), join(elsewhere, "gone.md"));
  await rm(join(engine.dataDir, "agents"), { recursive: true, force: true });
  await symlink(elsewhere, join(engine.dataDir, "agents"));
  expect((await list()).map(({ name, description }) => [name, description])).toEqual([["linked", "one"]]);
  await write("another");
  expect((await list()).map(({ name, description }) => [name, description])).toEqual([["linked", "another"]]);
});

test("an update leaves it; forks, exports and imports carry it", async () => {
  await writeAgent(engine, "keeper", "profile: openai\ntools: [now]");
  const { id } = await make({ agent: "keeper" });
  await engine.sessions.updateSession({ sessionId: id, title: "renamed", systemPrompt: "Hm." });
  const { session: fork } = await engine.sessions.forkSession({ sessionId: id });
  const file = await exported(engine, [id]);
  const { sessionIds } = await importFile(engine, file);
  for (const sessionId of [id, fork!.id, ...sessionIds]) {
    expect((await engine.sessions.getSession({ sessionId })).session).toMatchObject({ agent: "keeper" });
    expect(await requestOf(sessionId)).toEqual({ system: ["You are keeper.\n\nHm."], tools: ["now"] });
  }
});

test("a definition is listed with all that it says; a broken one with what is wrong, and it makes no session", async () => {
  await writeAgent(engine, "brief", "profile: demo\nmode: plan\nagents: [other]\nlimits: {max_silence: 5s}");
  await writeAgent(engine, "broken", "colour: red");
  await mkdir(join(engine.dataDir, "agents/folder.md"));
  await writeFile(join(engine.dataDir, "agents/no name.md"), "x");
  await writeFile(join(engine.dataDir, "agents/notes.txt"), "no definition");
  const path = (name: string): string => join(engine.dataDir, "agents", `${name}.md`);
  expect(await list()).toMatchObject([
    {
      name: "brief",
      description: "the agent brief",
      instructions: "You are brief.",
      profile: "demo",
      approvalMode: ApprovalMode.PLAN,
      agents: ["other"],
      tools: [],
      hasAllTools: true,
      limits: { maxSteps: 0, maxSilence: { seconds: 5n } },
      source: AgentSource.DATA_DIR,
      path: path("brief"),
      error: "",
    },
    { name: "broken", error: expect.stringContaining("line 3: colour: is not known") as string, instructions: "" },
    { name: "folder", error: "it is no file" },
    { name: "no name", error: expect.stringContaining("the file's name: a name has 1 to 64 letters") as string },
  ]);
  expect(await refusalOf(engine.sessions.createSession({ agent: "broken" }))).toMatchObject({
    code: "FAILED_PRECONDITION",
    reason: "AGENT_UNUSABLE",
  });
  await expect(engine.sessions.createSession({ agent: "broken" })).rejects.toThrow(
    "agent: the definition broken cannot be used: agents/broken.md, line 3: colour: is not known",
  );
  expect((await engine.sessions.listSessions({})).sessions).toEqual([]);
});

test("a workspace's definitions count while it is trusted, and never in the place of the owner's", async () => {
  await writeOfWorkspace("local");
  await writeOfWorkspace("brief");
  await writeAgent(engine, "brief");
  const request = { workspace: folder, agent: "local" };
  expect(await list(folder)).toMatchObject([{ name: "brief" }]);
  expect(await refusalOf(engine.sessions.createSession(request))).toMatchObject({ reason: "AGENT_NOT_FOUND" });

  await engine.workspaces.setWorkspaceTrust({ path: folder, trusted: true });
  expect(await list(folder)).toMatchObject([
    { name: "brief", source: AgentSource.DATA_DIR, error: "" },
    { name: "brief", source: AgentSource.WORKSPACE, error: expect.stringContaining("rename this file") as string },
    { name: "local", source: AgentSource.WORKSPACE, error: "", path: join(folder, ".parley/agents/local.md") },
  ]);
  expect(await make(request)).toMatchObject({ agent: "local", workspace: folder });
  expect((await requestOf((await make({ ...request, profile: "openai" })).id)).system).toEqual(["Be local."]);
  expect((await requestOf((await make({ ...request, agent: "brief", profile: "openai" })).id)).system).toEqual([
    "You are brief.",
  ]);

  await engine.workspaces.setWorkspaceTrust({ path: folder, trusted: false });
  expect(await refusalOf(engine.sessions.createSession(request))).toMatchObject({ reason: "AGENT_NOT_FOUND" });
  expect(await list()).toMatchObject([{ name: "brief" }]);
});

test("links of a trusted workspace lead no definition out of it", async () => {
  const secret = join(engine.dataDir, "secret.md");
  await writeFile(secret, "---\ndescription: d\n---\nThe secret.\n");
  await mkdir(join(folder, ".parley/agents"), { recursive: true });
  await symlink(secret, join(folder, ".parley/agents/out.md"));
  await engine.workspaces.setWorkspaceTrust({ path: folder, trusted: true });
  const [out] = await list(folder);
  expect(out).toMatchObject({ name: "out", instructions: "", error: expect.stringMatching(/./) as string });
  expect(await refusalOf(engine.sessions.createSession({ workspace: folder, agent: "out" }))).toMatchObject({
    reason: "AGENT_UNUSABLE",
  });
});

test("a name that leads elsewhere finds nothing", async () => {
  await writeFile(join(engine.dataDir, "secret.md"), "---\ndescription: d\n---\nThe secret.\n");
  await mkdir(join(engine.dataDir, "agents"));
  for (const agent of ["../secret", "/etc/passwd", "..", ".", "a/b", "a\0b", " ", "é".repeat(64)]) {
    expect(await refusalOf(engine.sessions.createSession({ agent }))).toMatchObject({ reason: "AGENT_NOT_FOUND" });
  }
  await writeAgent(engine, "prüfer.2");
  expect(await make({ agent: "prüfer.2" })).toMatchObject({ agent: "prüfer.2" });
});

test("the same key is the same session also after its file has changed; another agent is other content", async () => {
  await writeAgent(engine, "one");
  await writeAgent(engine, "two");
  const request = { idempotencyKey: "k", agent: "one" };
  const { id } = await make(request);
  await rm(join(engine.dataDir, "agents/one.md"));
  expect(await make(request)).toMatchObject({ id });
  expect(await refusalOf(engine.sessions.createSession({ ...request, agent: "two" }))).toMatchObject({
    reason: "IDEMPOTENCY_KEY_REUSED",
  });
});
