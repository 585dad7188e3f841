import { ms, verdict } from "../row.ts";
import { median, quantile } from "../sample.ts";
import type { Figure } from "./figure.ts";

const SHOWN_TARGET_MS = 5;
const STARTED_TARGET_MS = 10;

/** A human who is asked, over three connections: the one who asks, one who is shown it, and one who answers. */
export const requests: Figure = async (children) => {
  const engine = await children.engine();
  const load = children.load();
  const target = { url: engine.url, token: engine.token };
  const { shownMs, startedMs, callMs } = await load.run("requests", { target, rounds: 200, warmUp: 50 });
  await children.stopAll();
  const call = median(callMs);
  const row = (figure: string, samples: readonly number[], targetMs: number) => ({
    figure,
    measured: ms(median(samples)),
    beside: `${ms(call)} a call that reads`,
    compared: `x${(median(samples) / call).toFixed(1)}`,
    target: `${targetMs} ms`,
    verdict: verdict(median(samples) <= targetMs),
    note: `p99 ${ms(quantile(samples, 0.99))}; ${samples.length} rounds`,
    values: { median_ms: median(samples), p99_ms: quantile(samples, 0.99), call_ms: call },
  });
  return [
    row("request opened to shown", shownMs, SHOWN_TARGET_MS),
    row("answer to tool started", startedMs, STARTED_TARGET_MS),
  ];
};
