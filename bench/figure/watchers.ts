import { count, ms, percent, verdict } from "../row.ts";
import { inTurn, median } from "../sample.ts";
import type { Figure } from "./figure.ts";

const WATCHERS = 1000;
const CONNECTIONS = 4;
const ANSWER = { tokens: 200, perSecond: 50 };

/** One turn with a crowd of watchers, beside the same turn with one. */
export const watchers: Figure = async (children) => {
  const upstream = await children.upstream();
  const engine = await children.engine({ upstreamUrl: upstream.url });
  const load = children.load();
  const target = { url: engine.url, token: engine.token };
  const run = (watchers: number) => () =>
    load.run("watchTurn", { target, watchers, connections: Math.min(watchers, CONNECTIONS), answer: ANSWER });
  await run(50)();
  const results = await inTurn(3, { alone: run(1), crowd: run(WATCHERS) });
  await children.stopAll();
  const [crowd, alone] = [median(results.crowd.map((r) => r.turnMs)), median(results.alone.map((r) => r.turnMs))];
  const delay = Math.max(...results.crowd.map((r) => r.lastDelayMs));
  const exact = Math.min(...results.crowd.map((r) => r.exact));
  const later = crowd / alone - 1;
  return [
    {
      figure: `${count(WATCHERS)} watchers, turn of ${ANSWER.perSecond} tokens/s ends`,
      measured: ms(crowd),
      beside: `${ms(alone)} with one`,
      compared: percent(later),
      target: "+10 %, all exact",
      verdict: verdict(later <= 0.1 && exact === WATCHERS),
      note: `${count(exact)} of ${count(WATCHERS)} texts exact; ${count(median(results.crowd.map((r) => r.messages)))} messages`,
      values: { crowd_ms: crowd, alone_ms: alone, exact },
    },
    {
      figure: "  the last one knows",
      measured: `${ms(delay)} later`,
      beside: `${ms(Math.max(...results.alone.map((r) => r.lastDelayMs)))} with one`,
      compared: "-",
      target: "1,000 ms",
      verdict: verdict(delay <= 1000),
      values: { delay_ms: delay },
    },
  ];
};
