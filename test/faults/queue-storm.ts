import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { SessionState } from "../../gen/ts/parley/v1/session_pb.ts";
import type { QueuedMessage } from "../../gen/ts/parley/v1/queue_pb.ts";
import { ApprovalMode, type Client, createClient } from "../../src/client/client.ts";
import { control, type Figure, figure, none } from "./figure.ts";
import { replay } from "./kill-loop.ts";
import { createLives, type Lives } from "./lives.ts";
import { ask, say, type Storm, type Target, throwAt } from "./queue-thrower.ts";
import { checkQueue, type QueueFault, type QueueViolation } from "./queue-witness.ts";
import { startScriptedUpstream } from "./scripted-upstream.ts";
import { checkReplay, createWitness } from "./witness.ts";

const ENTRY = join(import.meta.dirname, "engine-entry.ts");
const CLIENTS = 8;

/** After so many kills the sessions are looked at and others begun: a conversation is sent whole with each model call. */
const KILLS_PER_ROUND = 10;
/** Where one fault is enough, it is looked for sooner. */
const KILLS_PER_SHORT_ROUND = 3;

/** Four sessions: words alone or tools in three steps before them; left INTERRUPTED by a kill, or going on after it. */
const KINDS = ["demo", "openai"].flatMap((profile) =>
  [false, true].map((resumeAfterRestart) => ({
    profile,
    resumeAfterRestart,
    text: profile === "demo" ? "write 12 words at 200 words a second" : "use your tools",
    // So that some turns reach it with steers that nobody took up.
    limits: { maxSteps: profile === "demo" ? 3 : 6 },
    approvalMode: ApprovalMode.RESTRICTED,
  })),
);

export interface QueueStormResult {
  readonly kills: number;
  readonly accepted: number;
  readonly refusals: number;
  readonly lostAnswers: number;
  readonly removed: number;
  readonly listed: number;
  readonly violations: readonly QueueViolation[];
  readonly complaints: readonly string[];
}

export interface QueueStormOptions {
  readonly kills: number;
  /** A name that engine-entry.ts knows; every life is such a one then. */
  readonly variant?: string;
  /** Enough is known once something was found. */
  readonly stopsAtFirst?: boolean;
}

/** Throws steers and follow-ups at running sessions from eight clients, kills engines, and counts what became of each. */
export async function runQueueStorm({ kills, variant, stopsAtFirst }: QueueStormOptions): Promise<QueueStormResult> {
  const lives = await createLives();
  const upstream = await startScriptedUpstream();
  const env = {
    OPENAI_BASE_URL: upstream.baseUrl,
    OPENAI_API_KEY: "none",
    ...(variant === undefined ? {} : { PARLEY_FAULT_VARIANT: variant }),
  };
  const start = (): ReturnType<Lives["start"]> =>
    lives.start({ env, ...(variant === undefined ? {} : { entry: ENTRY }) });
  const first = await start();
  if (first === undefined) throw new Error("the first engine was killed");
  const clients = Array.from({ length: CLIENTS }, () => createClient(first));
  const result = { kills: 0, accepted: 0, refusals: 0, lostAnswers: 0, removed: 0, listed: 0 };
  const violations: QueueViolation[] = [];
  const complaints: string[] = [];
  try {
    const most = stopsAtFirst === true ? KILLS_PER_SHORT_ROUND : KILLS_PER_ROUND;
    while (result.kills < kills) {
      const drains = stopsAtFirst !== true;
      const round = await runRound({ lives, clients, start, kills: Math.min(most, kills - result.kills), drains });
      for (const name of Object.keys(result) as (keyof typeof result)[]) result[name] += round[name];
      violations.push(...round.violations);
      complaints.push(...round.complaints);
      if (stopsAtFirst === true && violations.length + complaints.length > 0) break;
      console.error(`  ${result.kills} of ${kills}`);
    }
    return { ...result, violations, complaints };
  } finally {
    await lives.close();
    for (const client of clients) client.close();
    await upstream.close();
  }
}

interface Round {
  readonly lives: Lives;
  readonly clients: readonly Client[];
  readonly start: () => ReturnType<Lives["start"]>;
  readonly kills: number;
  /** Whether everything that waits is taken up at the end, and looked at once more. */
  readonly drains: boolean;
}

/** Sessions from their beginning to where nothing waits in them any more. */
async function runRound({ lives, clients, start, kills, drains }: Round): Promise<QueueStormResult> {
  const [client] = clients;
  if (client === undefined) throw new Error("no client");
  let moment = 0;
  const targets = await Promise.all(KINDS.map((kind) => newTarget(client, kind)));
  const complaints: string[] = [];
  const storm: Storm = { lives, targets, complaints, tick: () => ++moment, lostAnswers: 0, refusals: 0 };
  const stop = new AbortController();
  const throwing = clients.map((one) => throwAt(storm, one, stop.signal));
  for (let kill = 0; kill < kills; kill++) {
    await pause(momentToKill());
    await lives.kill();
    // Now and then while the next engine starts or brings its sessions up.
    if (Math.random() < 0.15) {
      const starting = start();
      await pause(Math.random() * 600);
      await lives.kill();
      await starting;
    }
    await start();
  }
  await pause(momentToKill());
  stop.abort();
  await Promise.all(throwing);
  const found = await Promise.all(targets.map((target) => checkTarget(storm, client, target, drains)));
  const all = targets.flatMap(({ sent }) => sent);
  return {
    kills,
    accepted: all.filter(({ isAccepted }) => isAccepted).length,
    removed: all.filter(({ removal }) => removal === "yes").length,
    listed: found.reduce((sum, { listed }) => sum + listed, 0),
    refusals: storm.refusals,
    lostAnswers: storm.lostAnswers,
    violations: found.flatMap(({ violations }) => violations),
    complaints,
  };
}

async function newTarget(client: Client, { text, ...settings }: (typeof KINDS)[number]): Promise<Target> {
  const { session } = await client.sessions.createSession(settings);
  return { sessionId: session?.id ?? "", text, sent: [] };
}

/** Often right after the start, else in the middle of things. */
function momentToKill(): number {
  return Math.random() < 0.3 ? Math.random() * 100 : Math.random() * 1500;
}

/** Looks at a session that rests with others waiting, and again when all of them had their turn. */
async function checkTarget(storm: Storm, client: Client, target: Target, drains: boolean) {
  await bringToRest(storm, client, target);
  const { listed, violations } = await compare(client, target);
  if (drains && violations.length === 0) {
    await drain(storm, client, target);
    violations.push(...(await compare(client, target)).violations);
  }
  return { listed: listed.length, violations };
}

/** The turn that is cancelled may end by itself in that moment, and another one begin with the head of the queue. */
async function bringToRest(storm: Storm, client: Client, { sessionId }: Target): Promise<void> {
  for (;;) {
    await ask(storm, "cancel", () => client.messages.cancelTurn({ sessionId }));
    const { session } = await client.sessions.getSession({ sessionId });
    if (session?.state === SessionState.IDLE) return;
  }
}

async function compare(client: Client, { sessionId, sent }: Target) {
  const events = await replay(client, sessionId);
  const { queued: listed } = await client.messages.listQueue({ sessionId });
  const broken = checkReplay(createWitness().look(), events);
  const violations: QueueViolation[] = [
    ...checkQueue(sent, events, listed),
    ...broken.map(({ fault, detail }) => ({ fault: "changed", detail: `${fault}: ${detail}` }) as const),
  ];
  return { listed: listed as readonly QueuedMessage[], violations };
}

/** A queue of 25, four steps each, on a slow machine. */
const DRAIN_LIMIT_MS = 120_000;

/** Lets everything that waits be taken up. The engine has no event for "nothing waits any more"; it is asked. */
async function drain(storm: Storm, client: Client, target: Target): Promise<void> {
  const { sessionId } = target;
  const end = performance.now() + DRAIN_LIMIT_MS;
  for (;;) {
    const { session } = await client.sessions.getSession({ sessionId });
    const { queued } = await client.messages.listQueue({ sessionId });
    if (session?.state === SessionState.IDLE) {
      if (queued.length === 0) return;
      // Someone has to start it again after a turn that did not complete.
      await say(storm, client, target, "start");
    }
    if (performance.now() > end) return void storm.complaints.push(`${queued.length} wait and nothing moves`);
    await pause(20);
  }
}

export function figuresOf(result: QueueStormResult): Figure[] {
  const { accepted, violations } = result;
  const count = (...faults: QueueFault[]): number => violations.filter(({ fault }) => faults.includes(fault)).length;
  return [
    figure("queue storm: engines killed", result.kills, "as many as asked", true),
    none("queue storm: accepted messages that were lost", count("lost"), accepted),
    none("queue storm: taken up twice, or taken up and still there", count("twice"), accepted),
    none("queue storm: taken up before somebody who was there first", count("order"), accepted),
    none("queue storm: lists that are not the log's", count("list"), accepted),
    none("queue storm: another text, turn or message", count("changed"), accepted),
    none("queue storm: answers that must not be", result.complaints.length, accepted),
    figure("queue storm: still listed when the storm was over", result.listed, "told only", true),
    figure("queue storm: removed before they were taken up", result.removed, "more than 0", result.removed > 0),
    figure("queue storm: answers lost and asked again", result.lostAnswers, "told only", true),
    figure("queue storm: refused", result.refusals, "told only", true),
  ];
}

/** What there is to find in engines whose queue is left apart from its turn, and how many kills it took to find it. */
export async function runControl(variant: string): Promise<number> {
  const { violations } = await runQueueStorm({ kills: 60, variant, stopsAtFirst: true });
  return violations.length;
}

export async function queueStorm(kills: number): Promise<Figure[]> {
  const result = await runQueueStorm({ kills });
  for (const text of result.complaints.slice(0, 20)) console.log(`  ${text}`);
  for (const { fault, detail } of result.violations.slice(0, 20)) console.log(`  ${fault}: ${detail}`);
  return [
    ...figuresOf(result),
    control("leave the queue before the turn takes it up", await runControl("leaves-queue-first"), "violations"),
    control("leave the queue after the turn took it up", await runControl("leaves-queue-later"), "violations"),
  ];
}
