import { count, verdict } from "../row.ts";
import { inTurn, median } from "../sample.ts";
import { largeStore } from "../store.ts";
import type { Figure } from "./figure.ts";

const TARGET = 0.7;

/** A long log, read from its beginning by one watcher. */
export const replay: Figure = async (children) => {
  const store = largeStore();
  const { sessionId, sessionKey, events } = store.long;
  const engine = await children.engine({ dataDir: store.dataDir });
  const bare = await children.bare({ database: store.database, sessionKey });
  const load = children.load();
  const runs = {
    bare: () => load.run("replay", { target: { url: bare.url, token: "" }, sessionId }),
    engine: () => load.run("replay", { target: { url: engine.url, token: engine.token }, sessionId }),
  };
  await inTurn(1, runs);
  const results = await inTurn(5, runs);
  await children.stopAll();
  const isWhole = [...results.engine, ...results.bare].every((r) => r.inOrder && r.events === events);
  const speedOf = (all: readonly { ms: number }[]): number => median(all.map(({ ms }) => (events * 1000) / ms));
  const [engineSpeed, bareSpeed] = [speedOf(results.engine), speedOf(results.bare)];
  return [
    {
      figure: `replay of ${count(events)} stored events`,
      measured: `${count(engineSpeed)} events/s`,
      beside: `${count(bareSpeed)} events/s bare`,
      compared: `× ${(engineSpeed / bareSpeed).toFixed(2)}`,
      target: `× ${TARGET}`,
      verdict: verdict(isWhole && engineSpeed / bareSpeed >= TARGET),
      ...(!isWhole && { note: "events are missing or out of order" }),
      values: { engine_per_second: engineSpeed, bare_per_second: bareSpeed },
    },
  ];
};
