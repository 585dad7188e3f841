import { spawnSync } from "node:child_process";
import { join } from "node:path";
import type { Children, EngineServer, Load } from "../children.ts";
import { ms, skipped, verdict } from "../row.ts";
import { inTurn, median } from "../sample.ts";
import type { Figure } from "./figure.ts";

const DELAY_MS = 20;
const TURNS = 50;
const ANSWER = { tokens: 150, perSecond: 50 };
const CONNECTIONS = 4;
const TARGET_MS = 100;
const FIGURE = `fsync + ${DELAY_MS} ms, ${TURNS} turns × ${ANSWER.perSecond} tokens/s, p99 gap`;

/** Turns on a disk that takes its time, beside the same turns on the disk as it is. */
export const slowDisk: Figure = async (children) => {
  const library = buildLibrary(children.newDataDir());
  if (library === undefined) return [skipped(FIGURE, `${TARGET_MS} ms`, "needs Linux and cc, for a slow fsync")];
  const upstream = await children.upstream();
  const dataDir = children.newDataDir();
  const env = { LD_PRELOAD: library, SLOW_FSYNC_DIR: dataDir, SLOW_FSYNC_MS: String(DELAY_MS) };
  const slow = await children.engine({ dataDir, env, upstreamUrl: upstream.url });
  const fast = await children.engine({ upstreamUrl: upstream.url });
  const load = children.load();
  const results = await inTurn(4, {
    fast: () => run(load, fast),
    slow: () => run(load, slow),
  });
  const commit = await commitMs(children, slow);
  await children.stopAll();
  // The first round warms up.
  const [fastGap, slowGap] = [results.fast, results.slow].map((all) => median(all.slice(1).map((r) => r.gapMs.p99)));
  const exact = Math.min(...results.slow.map((r) => r.exact));
  const isSlow = commit >= DELAY_MS;
  return [
    {
      figure: FIGURE,
      measured: ms(slowGap ?? NaN),
      beside: `${ms(fastGap ?? NaN)} disk as it is`,
      compared: `+${ms((slowGap ?? NaN) - (fastGap ?? NaN))}`,
      target: `${TARGET_MS} ms`,
      verdict: verdict(isSlow && exact === TURNS && (slowGap ?? NaN) <= TARGET_MS),
      note: `${isSlow ? "" : "THE DELAY DOES NOT WORK; "}${exact} of ${TURNS} texts exact; a session takes ${ms(commit)}; last turn ends at ${ms(median(results.slow.map((r) => r.lastEndMs)))}, on the disk as it is ${ms(median(results.fast.map((r) => r.lastEndMs)))}`,
      values: { slow_ms: slowGap ?? NaN, fast_ms: fastGap ?? NaN, commit_ms: commit },
    },
  ];
};

function run(load: Load, { url, token }: EngineServer) {
  return load.run("turnsAtEngine", { turns: TURNS, answer: ANSWER, target: { url, token }, connections: CONNECTIONS });
}

/** Shows that the delay is there. */
async function commitMs(children: Children, { url, token }: EngineServer): Promise<number> {
  const load = children.load();
  const [times = []] = await load.run("unaryCalls", { targets: [{ url, token }], rounds: 20, warmUp: 2 });
  return median(times);
}

function buildLibrary(folder: string): string | undefined {
  if (process.platform !== "linux") return undefined;
  const library = join(folder, "slow-fsync.so");
  const source = join(import.meta.dirname, "../slow-fsync.c");
  const { status } = spawnSync("cc", ["-shared", "-fPIC", "-O2", "-o", library, source, "-ldl"], { stdio: "ignore" });
  return status === 0 ? library : undefined;
}
