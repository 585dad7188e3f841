import { rm } from "node:fs/promises";
import { pino } from "pino";
import {
  Access_Scope,
  type Client,
  createClient,
  PermissionDecision,
  reasonOf,
  type Request,
} from "../../src/client/client.ts";
import { readConfig } from "../../src/config.ts";
import { type Engine, startEngine } from "../../src/engine.ts";
import { openSqlite } from "../../src/store/sqlite.ts";
import type { Tool } from "../../src/tool/tool.ts";
import { makeTempDir } from "../helpers/engine-process.ts";
import { NO_TITLES } from "../helpers/no-titles.ts";
import { callsAtOnce, callsInRow, startAskingUpstream } from "./asking-upstream.ts";
import { control, type Figure, none } from "./figure.ts";
import { withoutClaims } from "./once.ts";

const CLIENTS = 8;
/** How many requests of a turn are open together, and how many come one after the other; and how many sessions ask at once. */
const AT_ONCE = 10;
const IN_ROW = 25;
const SESSIONS = 8;

export interface PermissionOnceResult {
  readonly rounds: number;
  /** Rounds in which not exactly one answer was told that it counts, or another one is stored. */
  readonly wrongWinners: number;
  /** Answers that lost and were not told who won. */
  readonly badRefusals: number;
  /** Calls that ran though the answer that counts denied them, did not run though it approved them, or ran twice. */
  readonly wrongRuns: number;
}

export interface FirstMomentResult {
  readonly rounds: number;
  /** Answers that were lost: their calls or turns did not go on. */
  readonly lost: number;
  /** Second clicks that were not told that they came late. */
  readonly badClicks: number;
  /** Calls that were denied and ran, or were approved and did not run exactly once. */
  readonly wrongRuns: number;
}

/** An engine whose model asks for a tool that a human has to permit, and who counts what runs. */
async function startAskingEngine(isGuarded: boolean) {
  const upstream = await startAskingUpstream("count");
  const dataDir = makeTempDir("permission-once");
  const ran = new Map<string, number>();
  const count: Tool = {
    name: "count",
    description: "Counts.",
    parameters: { type: "object" },
    assess: () => ({ risk: { level: "safe", reason: "it counts" }, subjects: [] }),
    run: async (_args, { callId }) => {
      ran.set(callId, (ran.get(callId) ?? 0) + 1);
      return { text: "counted" };
    },
  };
  const config = readConfig({
    PARLEY_DATA_DIR: dataDir,
    PARLEY_PORT: "0",
    OPENAI_BASE_URL: upstream.baseUrl,
    OPENAI_API_KEY: "sk-test",
    OPENAI_MODEL: "m",
  });
  const openDatabase: typeof openSqlite = (path, clock) =>
    isGuarded ? openSqlite(path, clock) : withoutClaims(openSqlite(path, clock));
  const logger = pino({ level: "silent" });
  const engine = await startEngine(config, { logger, openDatabase, tools: [count], titles: NO_TITLES });
  return {
    engine,
    ran,
    async close() {
      await engine.close();
      await upstream.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** Eight clients, each with a token of its own, answer one permission at the same time; every second of them denies it. */
export async function runPermissionOnce(rounds: number, isGuarded = true): Promise<PermissionOnceResult> {
  const { engine, ran, close } = await startAskingEngine(isGuarded);
  const asker = createClient({ url: engine.url, token: engine.token });
  const clients = await Promise.all(Array.from({ length: CLIENTS }, (_, i) => newClient(engine, asker, `human-${i}`)));
  const result = { rounds: 0, wrongWinners: 0, badRefusals: 0, wrongRuns: 0 };
  try {
    while (result.rounds < rounds) {
      const { id: sessionId } = (await asker.sessions.createSession({ profile: "openai" })).session!;
      const turn = watchTurn(asker, sessionId, callsAtOnce(AT_ONCE));
      const approved = new Set<string>();
      for (let i = 0; i < AT_ONCE; i++) {
        const { id: requestId, permission } = await turn.nextRequest();
        const outcomes = await Promise.all(clients.map((client, n) => resolve(client, requestId, n % 2 === 0)));
        const winners = outcomes.filter(({ lostTo }) => lostTo === undefined);
        const stored = (await asker.requests.getRequest({ requestId })).request!;
        const [winner] = winners;
        if (winners.length !== 1 || stored.answeredBy !== `human-${outcomes.indexOf(winner!)}`) result.wrongWinners++;
        result.badRefusals += outcomes.filter(
          ({ lostTo }) => lostTo !== undefined && lostTo !== stored.answeredBy,
        ).length;
        if (isApproval(stored)) approved.add(permission!.callId);
        result.rounds++;
      }
      // Without its guard an engine may not come to the end of a turn.
      if (!isGuarded) turn.leave();
      const calls = await turn.ended;
      result.wrongRuns += isGuarded ? wrongRuns(calls, approved, ran) : 0;
    }
    return result;
  } finally {
    for (const client of [asker, ...clients]) client.close();
    await close();
  }
}

/**
 * Answers each permission in the moment in which a watcher is told of it, and clicks again at once: the first of two calls is
 * approved, the second denied. None of it may be lost, and no second click may be for the next call.
 */
export async function runFirstMoment(rounds: number): Promise<FirstMomentResult> {
  const { engine, ran, close } = await startAskingEngine(true);
  const client = createClient({ url: engine.url, token: engine.token });
  const result = { rounds: 0, lost: 0, badClicks: 0, wrongRuns: 0 };
  try {
    const perSession = Math.ceil(rounds / SESSIONS / IN_ROW);
    await Promise.all(Array.from({ length: SESSIONS }, () => answerAtOnce(client, ran, perSession, result)));
    return result;
  } finally {
    client.close();
    await close();
  }
}

async function answerAtOnce(
  client: Client,
  ran: ReadonlyMap<string, number>,
  turns: number,
  result: { rounds: number; lost: number; badClicks: number; wrongRuns: number },
): Promise<void> {
  for (let i = 0; i < turns; i++) {
    // Each in a session of its own: a long conversation is long to send.
    const { id: sessionId } = (await client.sessions.createSession({ profile: "openai" })).session!;
    const turn = watchTurn(client, sessionId, callsInRow(IN_ROW));
    const approved = new Set<string>();
    for (let number = 0; number < IN_ROW; number++) {
      const { id: requestId, permission } = await turn.nextRequest();
      const approves = number % 2 === 0;
      if (approves) approved.add(permission!.callId);
      const clicks = await Promise.all([resolve(client, requestId, approves), resolve(client, requestId, approves)]);
      if (clicks.filter(({ lostTo }) => lostTo !== undefined).length !== 1) result.badClicks++;
      result.rounds++;
    }
    const calls = await turn.ended;
    result.lost += IN_ROW - calls.length;
    result.wrongRuns += wrongRuns(calls, approved, ran);
  }
}

/** Starts a turn and hands its requests on one by one, each in the moment in which it comes. */
function watchTurn(client: Client, sessionId: string, words: string) {
  const leaving = new AbortController();
  const waiting: Request[] = [];
  let tell: (() => void) | undefined;
  const calls: string[] = [];
  const watch = async (): Promise<readonly string[]> => {
    const parts = [{ content: { case: "text" as const, value: words } }];
    const stream = client.messages.sendMessage({ sessionId, parts }, { signal: leaving.signal });
    try {
      for await (const { payload } of stream) {
        const event = payload.case === "event" ? payload.value.payload : undefined;
        if (event?.case === "toolCallEnded") calls.push(event.value.callId);
        if (event?.case !== "requestOpened") continue;
        waiting.push(event.value.request!);
        tell?.();
      }
    } catch (error) {
      if (!leaving.signal.aborted) throw error;
    }
    return calls;
  };
  const ended = watch();
  ended.catch(() => tell?.());
  return {
    ended,
    leave: () => leaving.abort(),
    async nextRequest(): Promise<Request> {
      while (waiting.length === 0) {
        await Promise.race([new Promise<void>((resolveNext) => (tell = resolveNext)), failed(ended)]);
      }
      return waiting.shift()!;
    },
  };
}

/** Rejects where a turn ends before all that was expected of it was asked. */
async function failed(ended: Promise<unknown>): Promise<never> {
  await ended;
  throw new Error("the turn ended, and more was to be asked");
}

function wrongRuns(calls: readonly string[], approved: ReadonlySet<string>, ran: ReadonlyMap<string, number>): number {
  return calls.filter((callId) => (ran.get(callId) ?? 0) !== (approved.has(callId) ? 1 : 0)).length;
}

function isApproval({ answer }: Request): boolean {
  return answer?.content.case === "permission" && answer.content.value.decision === PermissionDecision.APPROVE;
}

async function newClient({ url }: Engine, admin: Client, name: string): Promise<Client> {
  const { secret } = await admin.engine.createToken({ name, scope: Access_Scope.OPERATE });
  return createClient({ url, token: secret });
}

/** Who it lost to; undefined: it won. */
async function resolve(client: Client, requestId: string, approves: boolean) {
  const decision = approves ? PermissionDecision.APPROVE : PermissionDecision.DENY;
  try {
    await client.permissions.resolvePermission({ requestId, decision });
    return { lostTo: undefined };
  } catch (error) {
    const told = reasonOf(error);
    if (told?.reason !== "ALREADY_RESOLVED") throw error;
    return { lostTo: told.metadata["answered_by"] ?? "" };
  }
}

export function permissionOnceFigures(result: PermissionOnceResult): readonly Figure[] {
  const { rounds, wrongWinners, badRefusals, wrongRuns: wrong } = result;
  return [
    none("rounds of 8 ResolvePermission at once without exactly one winner", wrongWinners, rounds),
    none("answers that lost and were not told who won", badRefusals, rounds * (CLIENTS - 1)),
    none("calls that ran otherwise than the winner said", wrong, rounds),
  ];
}

export function firstMomentFigures({
  rounds,
  lost,
  badClicks,
  wrongRuns: wrong,
}: FirstMomentResult): readonly Figure[] {
  return [
    none("answers at the first possible moment that were lost", lost, rounds),
    none("second clicks that were not told that they came late", badClicks, rounds),
    none("calls that a second click let run, or that did not run once", wrong, rounds),
  ];
}

/** The long form, with its control: so many rounds at once, ten times as many at the first moment. */
export async function permissionOnce(rounds: number): Promise<readonly Figure[]> {
  const atOnce = permissionOnceFigures(await runPermissionOnce(rounds));
  const firstMoment = firstMomentFigures(await runFirstMoment(rounds * 10));
  const { wrongWinners } = await runPermissionOnce(AT_ONCE, false);
  return [...atOnce, ...firstMoment, control("without compare-and-set", wrongWinners, "rounds with several winners")];
}
