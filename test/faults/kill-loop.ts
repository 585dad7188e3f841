import { appendFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { type Client, createClient, type Event } from "../../src/client/client.ts";
import { reasonOf } from "../../src/client/reason.ts";
import { TurnEndReason } from "../../gen/ts/parley/v1/turn_pb.ts";
import { control, cost, type Figure, figure, none } from "./figure.ts";
import { createLives, type Lives } from "./lives.ts";
import { startScriptedUpstream } from "./scripted-upstream.ts";
import { type Habit, startTalker, type Talker, within } from "./talker.ts";
import { checkReplay, type Fault, readTurns, type Violation } from "./witness.ts";

const ENTRY = join(import.meta.dirname, "engine-entry.ts");

/** What sessions do while engines are killed: stream, think, call tools side by side, end, be cancelled. */
const HABITS: readonly Habit[] = [
  { name: "streams", profile: "demo", resumeAfterRestart: false, cancels: 0, texts: ["write 60 words"] },
  {
    name: "hurries",
    profile: "demo",
    resumeAfterRestart: false,
    cancels: 0,
    texts: ["write 3000 words as fast as you can", "write 2 words fast"],
  },
  {
    name: "asks the time",
    profile: "demo",
    resumeAfterRestart: false,
    cancels: 0,
    texts: ["what time is it in Tokyo and Paris?", "think: what time is it? fast"],
  },
  {
    name: "is cancelled",
    profile: "demo",
    resumeAfterRestart: false,
    cancels: 0.7,
    texts: ["write 200 words", "think and write 30 words"],
  },
  {
    name: "resumes",
    profile: "demo",
    resumeAfterRestart: true,
    cancels: 0.1,
    texts: ["write 80 words", "what time is it in Tokyo, Paris and Rome?"],
  },
  { name: "calls tools", profile: "openai", resumeAfterRestart: false, cancels: 0.1, texts: ["use your tools"] },
  { name: "resumes with tools", profile: "openai", resumeAfterRestart: true, cancels: 0, texts: ["use your tools"] },
];

export interface KillLoopOptions {
  readonly kills: number;
  /** What is done to the data directory of a dead engine before the next one starts. */
  readonly betweenLives?: (dataDir: string, life: number) => void;
  /** Variables for the engines of this data directory. */
  readonly env?: (dataDir: string) => Readonly<Record<string, string>>;
  /** A name that engine-entry.ts knows; every life is such a one then. */
  readonly variant?: string;
  /** Enough is known once something was found: for controls, whose sessions may be too broken to go on. */
  readonly stopsAtFirst?: boolean;
}

export interface KillLoopResult {
  readonly kills: number;
  readonly eventsShown: number;
  readonly answers: number;
  readonly violations: readonly Violation[];
  /** Answers that an engine did not stand by, refusals and ends that must not be. */
  readonly complaints: readonly string[];
  readonly turns: number;
  readonly toolCalls: number;
  readonly marks: number;
  /** Runs of a tool besides the first of each call, and runs that no event told of. */
  readonly badMarks: number;
  readonly lostAnswers: number;
  readonly doubled: number;
  /** From the spawn of a new engine to READY. */
  readonly medianStartMs: number;
  readonly unusable: number;
}

/** Kills engines at random moments while sessions are used, and compares all that was ever shown or answered. */
export async function runKillLoop(options: KillLoopOptions): Promise<KillLoopResult> {
  const { kills, betweenLives, variant } = options;
  const lives = await createLives();
  const upstream = await startScriptedUpstream();
  const marksFile = join(lives.dataDir, "..", `marks-${process.pid}-${Date.now()}`);
  appendFileSync(marksFile, "");
  const env = {
    ...options.env?.(lives.dataDir),
    OPENAI_BASE_URL: upstream.baseUrl,
    OPENAI_API_KEY: "none",
    PARLEY_FAULT_MARKS: marksFile,
    ...(variant === undefined ? {} : { PARLEY_FAULT_VARIANT: variant }),
  };
  // The real launcher and the program with the counted tool take turns.
  const next = (): ReturnType<Lives["start"]> =>
    lives.start({ env, ...(variant !== undefined || lives.count % 2 === 1 ? { entry: ENTRY } : {}) });

  const startsMs: number[] = [];
  let unusable = 0;
  const found: Violation[] = [];
  const first = await next();
  if (first === undefined) throw new Error("the first engine was killed");
  const clients = HABITS.map(() => createClient(first));
  const talkers = await Promise.all(HABITS.map((habit, i) => startTalker(lives, () => at(clients, i), habit)));
  try {
    for (let kill = 0; kill < kills; kill++) {
      await pause(momentToKill());
      await lives.kill();
      betweenLives?.(lives.dataDir, kill);
      // Now and then a second one, while the next engine starts or brings its sessions up.
      if (Math.random() < 0.15 && kill + 1 < kills) {
        const starting = next();
        await pause(Math.random() * 600);
        await lives.kill();
        await starting;
        betweenLives?.(lives.dataDir, ++kill);
      }
      const engine = await next();
      if (engine === undefined) throw new Error("the engine was killed by somebody else");
      startsMs.push(engine.startMs);
      if (kill % 50 === 49) console.error(`  ${kill + 1} of ${kills}`);
      // What was shown stays in the witnesses: what is not looked at now is looked at later.
      if (options.stopsAtFirst !== true && Math.random() < 0.6) continue;
      found.push(...(await checkAll(talkers, clients)));
      if (options.stopsAtFirst === true && found.length > 0) break;
      if (Math.random() < 0.3 && !(await isUsable(talkers))) unusable++;
    }
    if (options.stopsAtFirst !== true || found.length === 0) {
      await Promise.all(talkers.map((talker) => talker.finish()));
      found.push(...(await checkAll(talkers, clients)));
    }
    const marks = readFileSync(marksFile, "utf8")
      .split("\n")
      .filter((line) => line !== "");
    return await sumUp(talkers, clients, { kills, startsMs, unusable, found, marks });
  } finally {
    for (const talker of talkers) talker.close();
    await lives.close();
    for (const client of clients) client.close();
    await upstream.close();
  }
}

/** Mostly in the middle of things, often right after the start. */
function momentToKill(): number {
  return Math.random() < 0.3 ? Math.random() * 60 : Math.random() * 700;
}

/** Long enough for the slowest machine, far less than a turn that hangs. */
const USABLE_LIMIT_MS = 120_000;

async function isUsable(talkers: readonly Talker[]): Promise<boolean> {
  return within(USABLE_LIMIT_MS, Promise.any(talkers.map((talker) => talker.nextCompleted())));
}

async function checkAll(talkers: readonly Talker[], clients: readonly Client[]): Promise<Violation[]> {
  const all = await Promise.all(
    talkers.map(async ({ witness, sessionId, habit }, i) => {
      const glance = witness.look();
      const violations = checkReplay(glance, await replay(at(clients, i), sessionId));
      return violations.map(({ fault, detail }) => ({ fault, detail: `${habit.name}: ${detail}` }));
    }),
  );
  return all.flat();
}

/** The whole log, as far as it is when this is called. */
export async function replay(client: Client, sessionId: string): Promise<Event[]> {
  const controller = new AbortController();
  const events: Event[] = [];
  try {
    for await (const { payload } of client.messages.watchSession({ sessionId }, { signal: controller.signal })) {
      if (payload.case === "event") events.push(payload.value);
      else if (payload.case === "checkpoint" && payload.value.caughtUp) break;
    }
  } catch (error) {
    // A session that is gone has an empty log.
    if (reasonOf(error)?.reason !== "SESSION_NOT_FOUND") throw error;
  }
  controller.abort();
  return events;
}

interface Tally {
  readonly kills: number;
  readonly startsMs: readonly number[];
  readonly unusable: number;
  readonly found: readonly Violation[];
  readonly marks: readonly string[];
}

async function sumUp(talkers: readonly Talker[], clients: readonly Client[], tally: Tally): Promise<KillLoopResult> {
  const complaints: string[] = [];
  const callsStarted = new Set<string>();
  let doubled = 0;
  let turns = 0;
  for (const [i, talker] of talkers.entries()) {
    const { told, habit } = talker;
    const seen = readTurns(await replay(at(clients, i), talker.sessionId));
    const complain = (text: string): void => void complaints.push(`${habit.name}: ${text}`);
    talker.complaints.forEach(complain);
    turns += seen.started;
    for (const id of seen.callsStarted) callsStarted.add(id);
    for (const text of told.texts) {
      const times = seen.userTexts.filter((said) => said === text).length;
      if (times !== 1) doubled++;
    }
    // Every key one turn, every turn a key: RetryTurn has no text to count.
    if (seen.started !== told.turns.size) doubled += Math.abs(seen.started - told.turns.size);
    for (const turn of told.turns.values()) {
      if (!seen.reasons.has(turn.id)) complain(`turn ${turn.id} was answered and is not there`);
    }
    for (const id of told.cancelled) {
      if (seen.reasons.get(id) !== TurnEndReason.CANCELLED) complain(`turn ${id} was cancelled and ended otherwise`);
    }
    for (const [id, reason] of seen.reasons) {
      if (!mayEnd(reason, seen.errors.get(id) ?? "", habit)) {
        complain(`turn ${id} ended with reason ${reason} ${seen.errors.get(id) ?? ""}`);
      }
    }
    const title = await titleOf(at(clients, i), talker.sessionId);
    if (title !== told.title && title !== told.pendingTitle) complain(`its title is ${title}`);
  }
  const counted = new Set(tally.marks);
  const untold = [...counted].filter((id) => !callsStarted.has(id)).length;
  return {
    kills: tally.kills,
    eventsShown: talkers.reduce((sum, { witness }) => sum + witness.eventCount, 0),
    answers: talkers.reduce((sum, { told }) => sum + told.turns.size + told.cancelled.size, 0),
    violations: [...tally.found, ...talkers.flatMap(({ witness }) => witness.violations)],
    complaints,
    turns,
    toolCalls: callsStarted.size,
    marks: tally.marks.length,
    badMarks: tally.marks.length - counted.size + untold,
    lostAnswers: talkers.reduce((sum, { told }) => sum + told.lostAnswers, 0),
    doubled,
    medianStartMs: tally.startsMs.toSorted((a, b) => a - b)[Math.floor(tally.startsMs.length / 2)] ?? 0,
    unusable: tally.unusable,
  };
}

/** Undefined where the session is gone. */
async function titleOf(client: Client, sessionId: string): Promise<string | undefined> {
  try {
    return (await client.sessions.getSession({ sessionId })).session?.title;
  } catch (error) {
    if (reasonOf(error)?.reason === "SESSION_NOT_FOUND") return undefined;
    throw error;
  }
}

function mayEnd(reason: TurnEndReason | undefined, error: string, habit: Habit): boolean {
  if (reason === TurnEndReason.COMPLETED) return error === "";
  if (reason === TurnEndReason.CANCELLED) return habit.cancels > 0;
  if (reason === TurnEndReason.INTERRUPTED) return error === "ENGINE_STOPPED" && !habit.resumeAfterRestart;
  return reason === TurnEndReason.FAILED && error === "RECOVERY_LIMIT" && habit.resumeAfterRestart;
}

function at(clients: readonly Client[], i: number): Client {
  const client = clients[i];
  if (client === undefined) throw new Error("no such client");
  return client;
}

/** The figures of a loop that must find nothing. */
export function figuresOf(name: string, result: KillLoopResult): Figure[] {
  const count = (...faults: Fault[]): number => result.violations.filter(({ fault }) => faults.includes(fault)).length;
  const named = (what: string): string => `${name}: ${what}`;
  return [
    figure(named("engines killed"), result.kills, "as many as asked", true),
    none(named("events shown that were lost or changed"), count("lost"), result.eventsShown),
    none(named("answers that were not stood by"), result.complaints.length, result.answers),
    none(named("numbers that went back or came twice"), count("seq"), result.eventsShown),
    none(named("numbers missing"), count("gap"), result.eventsShown),
    none(
      named("tool calls run twice or without an event"),
      count("tool run twice") + result.badMarks,
      result.toolCalls,
    ),
    figure(named("runs of the counted tool"), result.marks, "more than 0", result.marks > 0),
    none(named("turns without exactly one end"), count("turn ends"), result.turns),
    none(named("messages and calls left open"), count("message open", "tool call open"), result.turns),
    none(named("turns lost or doubled by a retried key"), result.doubled, result.turns),
    figure(named("answers lost and asked again"), result.lostAnswers, "told only", true),
    none(named("restarts after which no turn completed"), result.unusable, result.kills),
    cost(named("start of an engine, median"), result.medianStartMs, 10_000, "ms"),
  ];
}

/** 200 kills that lose nothing, and a few with a store that publishes first, which do. */
export async function killLoop(kills: number): Promise<Figure[]> {
  const result = await runKillLoop({ kills });
  explain(result);
  const early = await runKillLoop({ kills: 10, variant: "publish-early", stopsAtFirst: true });
  return [...figuresOf("kill -9", result), control("publish before commit", lossesOf(early), "losses")];
}

export function lossesOf({ violations, complaints, doubled }: KillLoopResult): number {
  return violations.length + complaints.length + doubled;
}

/** Says what was found; a figure is only a number. */
export function explain({ violations, complaints }: KillLoopResult): void {
  for (const text of complaints.slice(0, 20)) console.log(`  ${text}`);
  for (const { fault, detail } of violations.slice(0, 20)) console.log(`  ${fault}: ${detail}`);
}
