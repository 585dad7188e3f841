import { setTimeout as sleep } from "node:timers/promises";
import type { EngineServer } from "../children.ts";
import { count, megabytes, ms, percent, skipped, verdict, type Row } from "../row.ts";
import { inTurn, median } from "../sample.ts";
import type { TurnsResult } from "../load/turns.ts";
import type { Figure } from "./figure.ts";

const TURNS = 200;
const ANSWER = { tokens: 300, perSecond: 100 };
const CONNECTIONS = 4;
const ROUNDS = 5;
/** The rows of whole messages are removed about a second after; what that writes counts, too. */
const SETTLE_MS = 2500;

interface Round extends TurnsResult {
  readonly bytesPerToken: number;
  readonly cpuShare: number;
}

/** Many turns at once: their pace, what they write, and what they leave in memory. */
export const manyTurns: Figure = async (children) => {
  const upstream = await children.upstream();
  const engine = await children.engine({ upstreamUrl: upstream.url });
  const load = children.load();
  const input = { turns: TURNS, answer: ANSWER };
  const target = { url: engine.url, token: engine.token };
  // Warms both sides, and lets the engine finish what it does after a start.
  await load.run("turnsAtEngine", { turns: 20, answer: ANSWER, target, connections: CONNECTIONS });
  await load.run("turnsAtUpstream", { turns: 20, answer: ANSWER, upstreamUrl: upstream.url });
  const results = await inTurn(ROUNDS, {
    direct: () => load.run("turnsAtUpstream", { ...input, upstreamUrl: upstream.url }),
    engine: () => withState(engine, () => load.run("turnsAtEngine", { ...input, target, connections: CONNECTIONS })),
  });
  await load.stop();
  const memory = engine.state()?.rssBytes;
  await children.stopAll();
  return [paceRow(results), gapRow(results), writtenRow(results.engine), memoryRow(memory)];
};

async function withState(engine: EngineServer, run: () => Promise<TurnsResult>): Promise<Round> {
  const before = engine.state();
  const startMs = performance.now();
  const result = await run();
  const cpuSeconds = (engine.state()?.cpuSeconds ?? NaN) - (before?.cpuSeconds ?? NaN);
  const cpuShare = (cpuSeconds * 1000) / (performance.now() - startMs);
  await sleep(SETTLE_MS);
  const written = (engine.state()?.writtenBytes ?? NaN) - (before?.writtenBytes ?? NaN);
  return { ...result, bytesPerToken: written / (TURNS * ANSWER.tokens), cpuShare };
}

interface Results {
  readonly direct: readonly TurnsResult[];
  readonly engine: readonly Round[];
}

function paceRow({ direct, engine }: Results): Row {
  const [own, other] = [median(engine.map((r) => r.lastEndMs)), median(direct.map((r) => r.lastEndMs))];
  const exact = Math.min(...engine.map((r) => r.exact));
  const later = own / other - 1;
  return {
    figure: `${TURNS} turns × ${ANSWER.perSecond} tokens/s, last ends`,
    measured: ms(own),
    beside: `${ms(other)} direct`,
    compared: percent(later),
    target: "+5 %",
    verdict: verdict(later <= 0.05 && exact === TURNS),
    note: `${exact} of ${TURNS} texts exact; the engine used ${Math.round(median(engine.map((r) => r.cpuShare)) * 100)} % of a core; first piece after ${ms(median(engine.map((r) => r.firstPieceMs)))}, direct ${ms(median(direct.map((r) => r.firstPieceMs)))}`,
    values: { engine_ms: own, direct_ms: other, exact },
  };
}

function gapRow({ direct, engine }: Results): Row {
  const [own, other] = [median(engine.map((r) => r.gapMs.p99)), median(direct.map((r) => r.gapMs.p99))];
  return {
    figure: "  p99 gap between tokens",
    measured: ms(own),
    beside: `${ms(other)} direct`,
    compared: `+${ms(own - other)}`,
    target: "+35 ms",
    verdict: verdict(own - other <= 35),
    note: `p50 ${ms(median(engine.map((r) => r.gapMs.p50)))}, largest ${ms(Math.max(...engine.map((r) => r.gapMs.max)))}; direct ${ms(median(direct.map((r) => r.gapMs.p50)))}, ${ms(Math.max(...direct.map((r) => r.gapMs.max)))}; ${count(median(engine.map((r) => r.pieces)))} pieces for ${count(TURNS * ANSWER.tokens)} tokens`,
    values: { engine_ms: own, direct_ms: other },
  };
}

function writtenRow(engine: readonly Round[]): Row {
  const written = median(engine.map((r) => r.bytesPerToken));
  const figure = "  written to disk";
  if (Number.isNaN(written)) return skipped(figure, "300 bytes/token", "this system has no /proc/PID/io");
  return {
    figure,
    measured: `${count(written)} bytes/token`,
    beside: "0 direct",
    compared: "-",
    target: "300 bytes/token",
    verdict: verdict(written <= 300),
    values: { bytes_per_token: written },
  };
}

function memoryRow(rssBytes: number | undefined): Row {
  const figure = "  memory after them";
  if (rssBytes === undefined) return skipped(figure, "180 MB", "this system has no /proc");
  return {
    figure,
    measured: megabytes(rssBytes),
    beside: "-",
    compared: "-",
    target: "180 MB",
    verdict: verdict(rssBytes <= 180e6),
    note: `after ${ROUNDS} times ${TURNS} turns`,
    values: { rss_bytes: rssBytes },
  };
}
