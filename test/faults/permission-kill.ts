import { toJsonString } from "@bufbuild/protobuf";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import {
  type Client,
  createClient,
  PermissionDecision,
  PermissionScope,
  type Request,
  RequestSchema,
  RequestState,
  RuleEffect,
  type Turn,
  TurnEndReason,
  TurnState,
} from "../../src/client/client.ts";
import { makeTempDir } from "../helpers/engine-process.ts";
import { callsAtOnce, startAskingUpstream } from "./asking-upstream.ts";
import { control, type Figure, figure, none } from "./figure.ts";
import { createLives, type Lives } from "./lives.ts";

export interface PermissionKillResult {
  readonly kills: number;
  /** Requests that were open when their engine was killed. */
  readonly open: number;
  /** Of them: not listed after it, or not with everything in them. */
  readonly lost: number;
  /** Of them: could not be answered. */
  readonly unanswerable: number;
  /** Approved calls that did not run exactly once, and denied ones that ran. */
  readonly wrongRuns: number;
  /** Turns that did not go on to their end. */
  readonly stuck: number;
  /** Calls whose answer and whose engine's end came in one moment, and that ran twice. */
  readonly twice: number;
  readonly answeredAtKill: number;
}

/** Calls of a turn, and turns that wait while an engine is killed. */
const CALLS = 3;
const TURNS = 4;
/** More than any turn takes to go on. */
const END_LIMIT_MS = 120_000;

const NOTHING = {
  kills: 0,
  open: 0,
  lost: 0,
  unanswerable: 0,
  wrongRuns: 0,
  stuck: 0,
  twice: 0,
  answeredAtKill: 0,
};

/** Kills engines while turns wait for permissions, and answers those to the next engine; some in the very moment. */
export async function runPermissionKill(kills: number): Promise<PermissionKillResult> {
  return withEngines({}, async ({ lives, next, client, marksFile }) => {
    const result = { ...NOTHING };
    while (result.kills < kills) await killAndAnswer({ lives, next, client, marksFile }, result);
    return result;
  });
}

/** Permissions lost by an engine that shows what it has not stored: of so many kills, or until one is found. */
export async function runShownTooEarly(kills: number): Promise<number> {
  return withEngines({ PARLEY_FAULT_VARIANT: "publish-early" }, async ({ lives, next, client }) => {
    const result = { open: 0, lost: 0 };
    for (let kill = 0; kill < kills && result.lost === 0; kill++) {
      const asked = await ask(client);
      await lives.kill();
      await next();
      await checkOpen(client, asked, result);
    }
    return result.lost;
  });
}

interface Engines {
  readonly lives: Lives;
  readonly next: () => Promise<unknown>;
  readonly client: Client;
  readonly marksFile: string;
}

/** Engines one after the other, whose model asks for the tool `mark`. */
async function withEngines<T>(env: Record<string, string>, use: (engines: Engines) => Promise<T>): Promise<T> {
  const upstream = await startAskingUpstream("mark");
  const marksFile = join(makeTempDir("marks"), "marks");
  const lives = await createLives();
  const options = {
    entry: join(import.meta.dirname, "engine-entry.ts"),
    env: {
      PARLEY_FAULT_MARKS: marksFile,
      OPENAI_BASE_URL: upstream.baseUrl,
      OPENAI_API_KEY: "sk-test",
      OPENAI_MODEL: "m",
      PARLEY_TITLES: "off",
      ...env,
    },
  };
  const next = () => lives.start(options);
  const first = await next();
  if (first === undefined) throw new Error("the first engine was killed");
  const client = createClient(first);
  try {
    return await use({ lives, next, client, marksFile });
  } finally {
    client.close();
    await lives.kill();
    await lives.close();
    await upstream.close();
  }
}

/** Turns wait, their engine is killed, and the next one is told the answers. */
async function killAndAnswer(
  { lives, next, client, marksFile }: Engines,
  result: { -readonly [K in keyof PermissionKillResult]: PermissionKillResult[K] },
): Promise<void> {
  const asked = await Promise.all(Array.from({ length: TURNS }, () => ask(client)));
  await pause(Math.random() * 50);
  // One of the turns is answered in the moment of the kill: that may be seen or not, but has its effect once at most.
  const [hurried, ...patient] = asked;
  const hurrying = hurried === undefined ? [] : answerAll(lives, client, hurried, result.kills);
  await pause(Math.random() * 20);
  await lives.kill();
  result.kills++;
  await next();
  await lives.ready();
  for (const one of patient) await checkOpen(client, one, result);
  const approved = await Promise.all(patient.map((one) => answerPatiently(client, one, result)));
  await Promise.all(hurrying);
  result.answeredAtKill += CALLS;
  for (const { sessionId, turn } of asked) if (!(await ends(client, sessionId, turn))) result.stuck++;
  const marks = countMarks(marksFile);
  for (const [callId, wasApproved] of approved.flat()) {
    if ((marks.get(callId) ?? 0) !== (wasApproved ? 1 : 0)) result.wrongRuns++;
  }
  for (const { permission } of hurried?.requests ?? []) {
    if ((marks.get(permission!.callId) ?? 0) > 1) result.twice++;
  }
}

interface Asked {
  readonly sessionId: string;
  readonly turn: Turn;
  readonly requests: readonly Request[];
}

/** Starts a turn whose calls wait for a human. */
async function ask(client: Client): Promise<Asked> {
  const rule = { effect: RuleEffect.ASK, scope: PermissionScope.SESSION, tool: "mark", pattern: "" };
  const { session } = await client.sessions.createSession({ profile: "openai", rules: [rule] });
  const sessionId = session!.id;
  const parts = [{ content: { case: "text" as const, value: callsAtOnce(CALLS) } }];
  const { turn } = await client.messages.startTurn({ sessionId, parts });
  const requests: Request[] = [];
  const leaving = new AbortController();
  try {
    for await (const { payload } of client.messages.watchSession({ sessionId }, { signal: leaving.signal })) {
      const event = payload.case === "event" ? payload.value.payload : undefined;
      if (event?.case === "requestOpened") requests.push(event.value.request!);
      if (requests.length === CALLS) break;
    }
  } finally {
    leaving.abort();
  }
  return { sessionId, turn: turn!, requests };
}

/** As a client does that is not told whether its answer arrived: it says it again, with the same key. */
function answerAll({ untilAnswered }: Lives, client: Client, { requests }: Asked, round: number): Promise<unknown>[] {
  return requests.map(({ id: requestId }) => {
    const answer = { requestId, decision: PermissionDecision.APPROVE, idempotencyKey: `hurried ${round}` };
    return untilAnswered(() => client.permissions.resolvePermission(answer));
  });
}

async function checkOpen(client: Client, { requests }: Asked, result: { open: number; lost: number }) {
  const listed = await client.requests.listRequests({ states: [RequestState.OPEN], pageSize: 500 });
  const known = new Map(listed.requests.map((request) => [request.id, toJsonString(RequestSchema, request)]));
  result.open += requests.length;
  result.lost += requests.filter((request) => known.get(request.id) !== toJsonString(RequestSchema, request)).length;
}

/** Approves all calls but the last. Answers which calls may run. */
async function answerPatiently(client: Client, { requests }: Asked, result: { unanswerable: number }) {
  return Promise.all(
    requests.map(async ({ id: requestId, permission }, i) => {
      const approves = i < requests.length - 1;
      const decision = approves ? PermissionDecision.APPROVE : PermissionDecision.DENY;
      const { request } = await client.permissions.resolvePermission({ requestId, decision });
      if (request?.state !== RequestState.ANSWERED) result.unanswerable++;
      return [permission!.callId, approves] as const;
    }),
  );
}

/** A turn that was killed in the middle of a call ends, too: interrupted, as its call's end is not known. */
async function ends(client: Client, sessionId: string, { id: turnId }: Turn): Promise<boolean> {
  const startedAt = performance.now();
  while (performance.now() - startedAt < END_LIMIT_MS) {
    const { turn } = await client.messages.getTurn({ sessionId, turnId });
    if (turn?.state === TurnState.ENDED) {
      return turn.endReason === TurnEndReason.COMPLETED || turn.endReason === TurnEndReason.INTERRUPTED;
    }
    await pause(20);
  }
  return false;
}

function countMarks(file: string): Map<string, number> {
  const marks = new Map<string, number>();
  for (const callId of readFileSync(file, "utf8").split("\n")) marks.set(callId, (marks.get(callId) ?? 0) + 1);
  return marks;
}

export function permissionKillFigures(result: PermissionKillResult): readonly Figure[] {
  const { kills, open, lost, unanswerable, wrongRuns, stuck, twice, answeredAtKill } = result;
  return [
    figure("kill -9 while turns wait for permissions", kills, "all of them", kills > 0),
    none("open permissions lost or changed by a kill", lost, open),
    none("open permissions that cannot be answered after a kill", unanswerable, open),
    none("calls that did not run exactly as often as they were approved", wrongRuns, open),
    none("calls answered in the moment of a kill that ran twice", twice, answeredAtKill),
    none("turns that did not go on to their end", stuck, kills * TURNS),
  ];
}

export async function permissionKill(kills: number): Promise<readonly Figure[]> {
  const figures = permissionKillFigures(await runPermissionKill(kills));
  const lost = await runShownTooEarly(Math.min(kills, 50));
  return [...figures, control("shown before it is stored", lost, "permissions lost")];
}
