import { ms, verdict } from "../row.ts";
import { median, quantile } from "../sample.ts";
import type { Figure } from "./figure.ts";

const TARGET_MS = 2;

/** A session, stored, beside a unary call that stores nothing. */
export const createSession: Figure = async (children) => {
  const engine = await children.engine();
  const bare = await children.bare();
  const load = children.load();
  const targets = [
    { url: engine.url, token: engine.token },
    { url: bare.url, token: "" },
  ];
  const [engineMs = [], bareMs = []] = await load.run("unaryCalls", { targets, rounds: 1000, warmUp: 300 });
  await children.stopAll();
  const [own, other] = [median(engineMs), median(bareMs)];
  return [
    {
      figure: "create a session",
      measured: ms(own),
      beside: `${ms(other)} bare echo`,
      compared: `+${ms(own - other)}`,
      target: `${TARGET_MS} ms`,
      verdict: verdict(own <= TARGET_MS),
      note: `p99 ${ms(quantile(engineMs, 0.99))}, bare ${ms(quantile(bareMs, 0.99))}`,
      values: { engine_ms: own, bare_ms: other },
    },
  ];
};
