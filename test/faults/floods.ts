import { setTimeout as pause } from "node:timers/promises";
import {
  bytesOfFolder,
  type CommandWorld,
  ownSeconds,
  processesWith,
  startCommandWorld,
  untilThere,
} from "./commands.ts";
import { atMost, cost, type Figure, figure, none } from "./figure.ts";
import { memoryOf } from "../helpers/engine-process.ts";

const MIB = 1024 * 1024;

export interface FloodOptions {
  readonly printedBytes: number;
  readonly forks: number;
}

/** What a flood did to its engine. */
export interface Flood {
  readonly tookMs: number;
  /** Of the engine's resident memory, at its highest. */
  readonly grownBytes: number;
  /** A unary call meanwhile against one before, medians. */
  readonly latencyRatio: number;
  /** 99 of 100 of those calls took no longer. */
  readonly p99Ms: number;
  /** Processes of it that lived afterwards. */
  readonly left: number;
}

export interface FloodsResult extends FloodOptions {
  readonly printing: Flood & { readonly storedBytes: number; readonly hasEnd: boolean };
  readonly forking: Flood & { readonly told: number };
  readonly stubborn: Flood;
}

/** Lets a tool print, fork and refuse to end, each as much as it can. */
export async function runFloods({ printedBytes, forks }: FloodOptions): Promise<FloodsResult> {
  const world = await startCommandWorld();
  try {
    const printing = await print(world, printedBytes);
    const forking = await fork(world, forks);
    const stubborn = await refuse(world);
    return { printedBytes, forks, printing, forking, stubborn };
  } finally {
    await world.close();
  }
}

async function print(world: CommandWorld, bytes: number) {
  const sessionId = await world.newSession();
  const { dataDir } = world.engine();
  const before = bytesOfFolder(dataDir);
  const lines = `yes ${"x".repeat(99)} | head -c ${bytes}; echo; echo the end`;
  let text = "";
  const flood = await watched(world, sessionId, async () => {
    text = (await world.runToEnd(sessionId, lines))?.text ?? "";
    return 0;
  });
  return { ...flood, storedBytes: bytesOfFolder(dataDir) - before, hasEnd: text.trimEnd().endsWith("the end") };
}

async function fork(world: CommandWorld, forks: number) {
  const sessionId = await world.newSession();
  const seconds = ownSeconds();
  await world.run(sessionId, `for i in $(seq ${forks}); do sleep ${seconds} & done; wait`);
  await untilThere(`sleep ${seconds}`, forks);
  let told = 0;
  const flood = await watched(world, sessionId, async () => {
    const { killedProcesses } = await world.client().messages.cancelTurn({ sessionId });
    told = killedProcesses.length;
    return processesWith(`sleep ${seconds}`).length;
  });
  return { ...flood, told };
}

/** One that takes no notice of SIGTERM but to fork, in sessions of their own, and whose children do the same. */
async function refuse(world: CommandWorld): Promise<Flood> {
  const sessionId = await world.newSession();
  const seconds = ownSeconds();
  const again = `trap 'for i in 1 2 3; do setsid bash -c \\"trap : TERM; while :; do sleep ${seconds}; done\\" & done' TERM`;
  const command = `for i in 1 2 3 4; do bash -c "${again}; while :; do sleep ${seconds} & wait; done" & done; trap : TERM; while :; do wait; done`;
  await world.run(sessionId, command);
  await untilThere(`sleep ${seconds}`, 4);
  return watched(world, sessionId, async () => {
    await world.client().messages.cancelTurn({ sessionId });
    return processesWith(seconds).length;
  });
}

/** Does something while unary calls are made one after the other; the task answers how many processes it has left. */
async function watched(world: CommandWorld, sessionId: string, task: () => Promise<number>): Promise<Flood> {
  const { pid } = world.engine();
  const call = async (): Promise<number> => {
    const startedAt = performance.now();
    await world.client().sessions.getSession({ sessionId });
    return performance.now() - startedAt;
  };
  const before: number[] = [];
  for (let i = 0; i < 50; i++) before.push(await call());
  const memoryBefore = memoryOf(pid);
  let highest = memoryBefore;
  const over = new AbortController();
  const during: number[] = [];
  const startedAt = performance.now();
  const calling = (async () => {
    while (!over.signal.aborted) {
      during.push(await call());
      highest = Math.max(highest, memoryOf(pid));
      await pause(5);
    }
  })();
  const left = await task();
  const tookMs = performance.now() - startedAt;
  over.abort();
  await calling;
  return {
    tookMs,
    grownBytes: highest - memoryBefore,
    latencyRatio: quantile(during, 0.5) / quantile(before, 0.5),
    p99Ms: quantile(during, 0.99),
    left,
  };
}

function quantile(values: readonly number[], part: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * part)] ?? 0;
}

export function floodsFigures({ printedBytes, forks, printing, forking, stubborn }: FloodsResult): readonly Figure[] {
  const printed = `${(printedBytes / 1e6).toFixed(0)} MB printed`;
  return [
    atMost(`${printed}: the engine's memory grows by`, printing.grownBytes / MIB, 120, "MiB"),
    atMost(`${printed}: the data directory grows by`, printing.storedBytes / MIB, 16, "MiB"),
    figure(`${printed}: its end is told to the model`, String(printing.hasEnd), "true", printing.hasEnd),
    ...servingFigures(printed, printing),
    none(`${forks} forked: processes left after a cancel`, forking.left, forks),
    figure(
      `${forks} forked: told`,
      forking.told,
      `at least ${Math.min(forks, 1000)}`,
      forking.told >= Math.min(forks, 1000),
    ),
    atMost(`${forks} forked: the engine's memory grows by`, forking.grownBytes / MIB, 120, "MiB"),
    cost(`${forks} forked: the cancel takes`, forking.tookMs / 1000, 10, "s"),
    ...servingFigures(`${forks} forked`, forking),
    none("forks when it is asked to end: processes left after a cancel", stubborn.left, 4),
    cost("forks when it is asked to end: the cancel takes", stubborn.tookMs / 1000, 10, "s"),
    ...servingFigures("forks when it is asked to end", stubborn),
  ];
}

function servingFigures(what: string, { tookMs, latencyRatio, p99Ms }: Flood): readonly Figure[] {
  const took = `${(tookMs / 1000).toFixed(1)} s`;
  return [
    figure(`${what}: a unary call meanwhile (${took}), against before`, `× ${latencyRatio.toFixed(1)}`, "served", true),
    cost(`${what}: 99 of 100 of those calls take`, p99Ms, 1000, "ms"),
  ];
}

export async function floods(megabytes: number): Promise<readonly Figure[]> {
  return floodsFigures(await runFloods({ printedBytes: megabytes * 1e6, forks: 2000 }));
}
