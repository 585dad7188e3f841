import { setTimeout as sleep } from "node:timers/promises";
import type { ProcessState } from "../host.ts";
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
  readonly writtenPerToken: number;
  /** Of the engine, or of the client that does without. */
  readonly cpuPerTokenUs: number;
  readonly rssBytes: number;
}

/** Many turns at once: their pace, what they write, and what they leave in memory. */
export const manyTurns: Figure = async (children) => {
  const upstream = await children.upstream();
  const engine = await children.engine({ upstreamUrl: upstream.url });
  const load = children.load();
  const target = { url: engine.url, token: engine.token };
  const atUpstream = (turns: number) => () =>
    load.run("turnsAtUpstream", { turns, answer: ANSWER, upstreamUrl: upstream.url });
  const atEngine = (turns: number) => () =>
    load.run("turnsAtEngine", { turns, answer: ANSWER, target, connections: CONNECTIONS });
  // Warms both sides, and lets the engine finish what it does after a start.
  await inTurn(1, { direct: atUpstream(20), engine: atEngine(20) });
  const results = await inTurn(ROUNDS, {
    direct: () => observed(() => load.state(), atUpstream(TURNS)),
    engine: () => observed(() => engine.state(), atEngine(TURNS)),
  });
  await children.stopAll();
  return [paceRow(results), gapRow(results), writtenRow(results.engine), memoryRow(results.engine)];
};

/** Runs a round, and what it leaves to be done, and looks at the process that does the work. */
async function observed(state: () => ProcessState | undefined, run: () => Promise<TurnsResult>): Promise<Round> {
  const before = state();
  const result = await run();
  await sleep(SETTLE_MS);
  const after = state();
  const tokens = TURNS * ANSWER.tokens;
  return {
    ...result,
    writtenPerToken: ((after?.writtenBytes ?? NaN) - (before?.writtenBytes ?? NaN)) / tokens,
    cpuPerTokenUs: (((after?.cpuSeconds ?? NaN) - (before?.cpuSeconds ?? NaN)) * 1e6) / tokens,
    rssBytes: after?.rssBytes ?? NaN,
  };
}

interface Results {
  readonly direct: readonly Round[];
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
    note: `${exact} of ${TURNS} texts exact; ${cpuOf(engine)} of CPU a token, direct ${cpuOf(direct)}; first piece after ${ms(median(engine.map((r) => r.firstPieceMs)))}, direct ${ms(median(direct.map((r) => r.firstPieceMs)))}`,
    values: { engine_ms: own, direct_ms: other, exact },
  };
}

function cpuOf(rounds: readonly Round[]): string {
  return `${median(rounds.map((r) => r.cpuPerTokenUs)).toFixed(0)} µs`;
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
  const written = median(engine.map((r) => r.writtenPerToken));
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

function memoryRow([first, ...later]: readonly Round[]): Row {
  const figure = "  memory after them";
  const rssBytes = first?.rssBytes ?? NaN;
  if (Number.isNaN(rssBytes)) return skipped(figure, "180 MB", "this system has no /proc");
  return {
    figure,
    measured: megabytes(rssBytes),
    beside: "-",
    compared: "-",
    target: "180 MB",
    verdict: verdict(rssBytes <= 180e6),
    note: `after the first ${TURNS}; after ${ROUNDS} times as many ${megabytes(later.at(-1)?.rssBytes ?? rssBytes)}`,
    values: { rss_bytes: rssBytes },
  };
}
