import { ms, verdict } from "../row.ts";
import { median, quantile } from "../sample.ts";
import type { Figure } from "./figure.ts";

const TARGET_MS = 3;

/** Time to the first token, with one warm connection each. */
export const firstToken: Figure = async (children) => {
  const upstream = await children.upstream();
  const engine = await children.engine({ upstreamUrl: upstream.url });
  const load = children.load();
  const { engineMs, directMs } = await load.run("firstTokens", {
    target: { url: engine.url, token: engine.token },
    upstreamUrl: upstream.url,
    pairs: 400,
    warmUp: 200,
  });
  await children.stopAll();
  const added = median(engineMs) - median(directMs);
  return [
    {
      figure: "first token",
      measured: ms(median(engineMs)),
      beside: `${ms(median(directMs))} direct`,
      compared: `+${ms(added)}`,
      target: `+${TARGET_MS} ms`,
      verdict: verdict(added <= TARGET_MS),
      note: `p99 ${ms(quantile(engineMs, 0.99))}, direct ${ms(quantile(directMs, 0.99))}; ${engineMs.length} pairs`,
      values: { engine_ms: median(engineMs), direct_ms: median(directMs), added_ms: added },
    },
  ];
};
