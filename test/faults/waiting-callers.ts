import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { createClient, RequestState } from "../../src/client/client.ts";
import { type EngineProcess, memoryOf, startEngineProcess } from "../helpers/engine-process.ts";
import { atMost, cost, type Figure, figure, none } from "./figure.ts";

/** How long the waiting is looked at, and how long they wait at most. */
const LOOK_MS = 3000;
const WAIT_S = 100n;
/** A connection carries so many calls at once, and the engine's bound is not far. */
const CALLERS_PER_CONNECTION = 50;
/** Linux counts the time of processes in these. */
const TICKS_PER_SECOND = 100;

export interface WaitingResult {
  readonly callers: number;
  /** Of the engine, before they came and while they waited. */
  readonly idleCpu: number;
  readonly waitingCpu: number;
  readonly bytesPerCaller: number;
  /** From the first answer until the last caller was told. */
  readonly tellMs: number;
  /** Callers who were told something else than the end. */
  readonly untold: number;
}

/** Half of the callers wait for one request, each of the others for its own; then all are answered. */
export async function runWaitingCallers(callers: number): Promise<WaitingResult> {
  const engine = await startEngineProcess();
  const client = createClient(engine);
  const clients = Array.from({ length: Math.ceil(callers / CALLERS_PER_CONNECTION) }, () => createClient(engine));
  try {
    const requests = await Promise.all(
      Array.from({ length: Math.ceil(callers / 2) + 1 }, (_, i) => client.requests.createRequest({ title: `${i}?` })),
    );
    const [shared = "", ...own] = requests.map(({ request }) => request?.id ?? "");
    // What making them cost is no part of the waiting.
    await pause(1000);
    const idleCpu = await cpuOf(engine, LOOK_MS);
    const before = memoryOf(engine.pid);
    const targets = Array.from({ length: callers }, (_, i) => (i % 2 === 0 ? shared : own[(i - 1) / 2]!));
    const waiting = Promise.all(
      targets.map((requestId, i) =>
        clients[i % clients.length]!.requests.awaitRequest(
          { requestId, wait: { seconds: WAIT_S } },
          { timeoutMs: 120_000 },
        ),
      ),
    );
    // Told below; a failure before that is thrown there, too.
    waiting.catch(() => undefined);
    await pause(3000);
    const bytesPerCaller = (memoryOf(engine.pid) - before) / callers;
    const waitingCpu = await cpuOf(engine, LOOK_MS);
    const startedAt = performance.now();
    const answer = { content: { case: "text" as const, value: "yes" } };
    await Promise.all([shared, ...own].map((requestId) => client.requests.respondRequest({ requestId, answer })));
    const told = await waiting;
    const tellMs = performance.now() - startedAt;
    const untold = told.filter(({ request }) => request?.state !== RequestState.ANSWERED).length;
    return { callers, idleCpu, waitingCpu, bytesPerCaller, tellMs, untold };
  } finally {
    for (const one of [client, ...clients]) one.close();
    await engine.kill();
  }
}

/** How much of one processor the engine takes. */
async function cpuOf({ pid }: EngineProcess, spanMs: number): Promise<number> {
  const before = ticksOf(pid);
  await pause(spanMs);
  return (ticksOf(pid) - before) / TICKS_PER_SECOND / (spanMs / 1000);
}

function ticksOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

export function waitingFigures(result: WaitingResult): readonly Figure[] {
  const { callers, idleCpu, waitingCpu, bytesPerCaller, tellMs, untold } = result;
  return [
    none("callers who waited and were not told the answer", untold, callers),
    figure("of one processor, the engine idle", `${(idleCpu * 100).toFixed(1)} %`, "told", true),
    cost(`of one processor, while ${callers} callers wait`, (waitingCpu - idleCpu) * 100, 3, "% more"),
    atMost("memory for each caller who waits", bytesPerCaller / 1024, 64, "KiB"),
    cost("from the first answer until the last caller is told", tellMs, 5000, "ms"),
  ];
}

export async function waitingCallers(callers: number): Promise<readonly Figure[]> {
  return waitingFigures(await runWaitingCallers(callers));
}
