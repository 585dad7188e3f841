import { toJsonString } from "@bufbuild/protobuf";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import {
  type Client,
  createClient,
  type Message,
  type Request,
  RequestKind,
  RequestSchema,
  RequestState,
  type Session,
  SessionState,
  type Turn,
  TurnEndReason,
  TurnState,
} from "../../src/client/client.ts";
import { says, startUpstream, type ChatRequest } from "../api/scripted-upstream.ts";
import { type Figure, figure, none } from "./figure.ts";
import { createLives, type Lives } from "./lives.ts";

export interface WaitingKillResult {
  readonly kills: number;
  /** Requests that were open when their engine was killed. */
  readonly open: number;
  /** Of them: not listed after it, or not with everything in them. */
  readonly lost: number;
  /** Turns that were begun. */
  readonly turns: number;
  /** Of them: did not come to their end. */
  readonly stuck: number;
  /** Of those that were killed while they waited: did not complete. */
  readonly broken: number;
  /** Calls with another number of results than one, and agents that were started another number of times than once. */
  readonly notOnce: number;
  /** Sessions and requests that are not at rest when all is over. */
  readonly left: number;
}

/** What turns wait for: an answer, more steps, an agent that waits for an answer, one of an agent of an agent. */
const KINDS = {
  question: { limits: {}, agents: 0 },
  limit: { limits: { maxSteps: 1 }, agents: 0 },
  agent: { limits: {}, agents: 1 },
  deep: { limits: {}, agents: 2 },
} as const;
type Kind = keyof typeof KINDS;

/** More than any turn takes to go on, or to be at rest. */
const END_LIMIT_MS = 120_000;

/** What each does first; then it is done. */
const CALLS: Readonly<Record<string, readonly [tool: string, args: object]>> = {
  question: ["ask_human", { question: "Which?", options: ["a", "b"] }],
  limit: ["now", {}],
  agent: ["run_agent", { agent: "asker", task: "ask" }],
  deep: ["run_agent", { agent: "manager", task: "have it asked" }],
  asker: ["ask_human", { question: "Which?", options: ["a", "b"] }],
  manager: ["run_agent", { agent: "asker", task: "ask" }],
};

/** Kills engines while turns wait for humans and agents, or in the moment in which they begin to, or are answered. */
export async function runWaitingKill(kills: number): Promise<WaitingKillResult> {
  const upstream = await startUpstream((answer, request) => {
    const call = CALLS[speakerOf(request)];
    if (call === undefined || request.messages.some(({ role }) => role === "tool")) return says(answer, "done");
    answer.call("up", call[0], JSON.stringify(call[1]));
    answer.end("tool_calls");
  });
  const lives = await createLives();
  writeAgents(lives.dataDir);
  const env = { OPENAI_BASE_URL: upstream.url, OPENAI_API_KEY: "sk-test", OPENAI_MODEL: "m", PARLEY_TITLES: "off" };
  const first = await lives.start({ env });
  if (first === undefined) throw new Error("the first engine was killed");
  const client = createClient(first);
  const result = { kills: 0, open: 0, lost: 0, turns: 0, stuck: 0, broken: 0, notOnce: 0, left: 0 };
  try {
    for (; result.kills < kills; result.kills++) {
      const isEarly = result.kills % 2 === 1;
      const begun = await Promise.all((Object.keys(KINDS) as Kind[]).map((kind) => begin(client, kind)));
      result.turns += begun.length;
      if (isEarly) await pause(Math.random() * 150);
      const asked = isEarly ? [] : await Promise.all(begun.map((one) => whenAsked(client, one)));
      // One of them is answered in the moment of the kill: that may be seen or not.
      const hurried = asked.length === 0 ? undefined : asked[result.kills % asked.length];
      const hurrying = hurried && answer(lives, client, hurried);
      await pause(Math.random() * 20);
      await lives.kill();
      await lives.start({ env });
      const patient = asked.filter((request) => request !== hurried);
      await checkOpen(client, patient, result);
      await hurrying;
      for (const one of begun) await finish(lives, client, one, result, !isEarly && one.turn.id !== hurried?.turnId);
    }
    result.left = await countLeft(client);
    return result;
  } finally {
    client.close();
    await lives.kill();
    await lives.close();
    await upstream.close();
  }
}

/** A session is told who it is; an agent's instructions say it. */
function speakerOf({ messages }: ChatRequest): string {
  return /You are (\w+)\./.exec(messages.find(({ role }) => role === "system")?.content ?? "")?.[1] ?? "";
}

function writeAgents(dataDir: string): void {
  mkdirSync(join(dataDir, "agents"), { recursive: true });
  const write = (name: string, agents: string): void =>
    writeFileSync(
      join(dataDir, "agents", `${name}.md`),
      `---\ndescription: d\nagents: ${agents}\n---\nYou are ${name}.\n`,
    );
  write("asker", "[]");
  write("manager", "[asker]");
}

interface Begun {
  readonly kind: Kind;
  readonly sessionId: string;
  readonly turn: Turn;
}

async function begin(client: Client, kind: Kind): Promise<Begun> {
  const { limits } = KINDS[kind];
  const request = { profile: "openai", systemPrompt: `You are ${kind}.`, limits };
  const { session } = await client.sessions.createSession(request);
  const parts = [{ content: { case: "text" as const, value: "go" } }];
  const { turn } = await client.messages.startTurn({ sessionId: session!.id, parts });
  return { kind, sessionId: session!.id, turn: turn! };
}

async function whenAsked(client: Client, { sessionId }: Begun): Promise<Request> {
  for (;;) {
    const { requests } = await client.requests.listRequests({ rootSessionId: sessionId });
    if (requests[0] !== undefined) return requests[0];
    await pause(5);
  }
}

/** As a client does that is not told whether its answer arrived: it says it again, with the same key. */
async function answer({ untilAnswered }: Lives, client: Client, request: Request): Promise<void> {
  const value = request.kind === RequestKind.LIMIT ? "continue" : "1";
  const said = {
    requestId: request.id,
    idempotencyKey: "one",
    answer: { content: { case: "optionId" as const, value } },
  };
  await untilAnswered(() => client.requests.respondRequest(said));
}

async function checkOpen(client: Client, asked: readonly Request[], result: { open: number; lost: number }) {
  const { requests } = await client.requests.listRequests({ states: [RequestState.OPEN], pageSize: 500 });
  const known = new Map(requests.map((request) => [request.id, toJsonString(RequestSchema, request)]));
  result.open += asked.length;
  result.lost += asked.filter((request) => known.get(request.id) !== toJsonString(RequestSchema, request)).length;
}

/** Answers what a turn and its agents ask until it is over, and looks at what is left of it. */
async function finish(
  lives: Lives,
  client: Client,
  begun: Begun,
  result: { stuck: number; broken: number; notOnce: number },
  waited: boolean,
): Promise<void> {
  const { kind, sessionId } = begun;
  const ended = await endOf(lives, client, begun);
  if (ended === undefined) {
    result.stuck++;
    return;
  }
  const { turn } = begun;
  if (waited && ended.endReason !== TurnEndReason.COMPLETED) result.broken++;
  const below = await sessionsBelow(client, sessionId);
  if (waited && below.length !== KINDS[kind].agents) result.notOnce++;
  for (const id of [sessionId, ...below.map((session) => session.id)]) {
    const { messages } = await client.sessions.listMessages({ sessionId: id });
    if (!isAnsweredOnce(messages)) result.notOnce++;
  }
  if (turn.id !== ended.id) result.notOnce++;
}

async function endOf(
  lives: Lives,
  client: Client,
  { sessionId, turn: { id: turnId } }: Begun,
): Promise<Turn | undefined> {
  const startedAt = performance.now();
  while (performance.now() - startedAt < END_LIMIT_MS) {
    const { turn } = await client.messages.getTurn({ sessionId, turnId });
    if (turn?.state === TurnState.ENDED) return turn;
    const { requests } = await client.requests.listRequests({ rootSessionId: sessionId });
    for (const request of requests) await answer(lives, client, request);
    await pause(10);
  }
  return undefined;
}

async function sessionsBelow(client: Client, parentSessionId: string): Promise<Session[]> {
  const { sessions } = await client.sessions.listSessions({ parentSessionId });
  const deeper = await Promise.all(sessions.map(({ id }) => sessionsBelow(client, id)));
  return [...sessions, ...deeper.flat()];
}

/** Every call of a whole message has one result. */
function isAnsweredOnce(messages: readonly Message[]): boolean {
  const parts = messages.flatMap((message) => message.parts.map(({ content }) => content));
  const calls = parts.flatMap((part) => (part.case === "toolCall" ? [part.value.callId] : []));
  const results = parts.flatMap((part) => (part.case === "toolResult" ? [part.value.callId] : []));
  return calls.every((id) => results.filter((other) => other === id).length === 1) && results.length === calls.length;
}

async function countLeft(client: Client): Promise<number> {
  const startedAt = performance.now();
  for (;;) {
    const states = [SessionState.RUNNING, SessionState.WAITING];
    const { sessions } = await client.sessions.listSessions({ states, pageSize: 500 });
    const { requests } = await client.requests.listRequests({ pageSize: 500 });
    const left = sessions.length + requests.length;
    if (left === 0 || performance.now() - startedAt > END_LIMIT_MS) return left;
    await pause(50);
  }
}

export function waitingKillFigures(result: WaitingKillResult): readonly Figure[] {
  const { kills, open, lost, turns, stuck, broken, notOnce, left } = result;
  return [
    figure("kill -9 while turns wait for humans, more steps and agents", kills, "all of them", kills > 0),
    none("questions and limits lost or changed by a kill", lost, open),
    none("waiting turns that did not complete after a kill", broken, open),
    none("turns that did not come to their end", stuck, turns),
    none("calls without one result, agents not started once", notOnce, turns),
    none("sessions and requests left open at the end", left, turns),
  ];
}

export async function waitingKill(kills: number): Promise<readonly Figure[]> {
  return waitingKillFigures(await runWaitingKill(kills));
}
