import { count, verdict } from "../row.ts";
import { inTurn, median } from "../sample.ts";
import type { TurnsResult } from "../load/turns.ts";
import type { Figure } from "./figure.ts";

const ANSWER = { tokens: 10_000, perSecond: 0 };
const TARGET = 0.5;

/** One turn as fast as it goes. */
export const fullSpeed: Figure = async (children) => {
  const upstream = await children.upstream();
  const engine = await children.engine({ upstreamUrl: upstream.url });
  const load = children.load();
  const target = { url: engine.url, token: engine.token };
  const input = { turns: 1, answer: ANSWER };
  const runs = {
    direct: () => load.run("turnsAtUpstream", { ...input, upstreamUrl: upstream.url }),
    engine: () => load.run("turnsAtEngine", { ...input, target, connections: 1 }),
  };
  await inTurn(3, runs);
  const results = await inTurn(15, runs);
  await children.stopAll();
  const speedOf = (all: TurnsResult[]): number =>
    median(all.map(({ lastEndMs }) => (ANSWER.tokens * 1000) / lastEndMs));
  const isExact = results.engine.every(({ exact }) => exact === 1);
  const [engineSpeed, directSpeed] = [speedOf(results.engine), speedOf(results.direct)];
  return [
    {
      figure: "10,000 tokens at full speed",
      measured: `${count(engineSpeed)} tokens/s`,
      beside: `${count(directSpeed)} tokens/s direct`,
      compared: `× ${(engineSpeed / directSpeed).toFixed(2)}`,
      target: `× ${TARGET}`,
      verdict: verdict(isExact && engineSpeed / directSpeed >= TARGET),
      note: `${isExact ? "text exact" : "TEXT NOT EXACT"}; ${count(median(results.engine.map(({ pieces }) => pieces)))} pieces at the client`,
      values: { engine_per_second: engineSpeed, direct_per_second: directSpeed },
    },
  ];
};
