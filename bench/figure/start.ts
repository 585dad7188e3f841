import { rmSync } from "node:fs";
import type { Children, Server } from "../children.ts";
import { ms, verdict, type Row } from "../row.ts";
import { inTurn, median } from "../sample.ts";
import { largeStore } from "../store.ts";
import type { Figure } from "./figure.ts";

const ROUNDS = 9;

/** Spawn to READY: with no data directory yet, and with a large store. */
export const start: Figure = async (children) => {
  const store = largeStore();
  const runs = {
    bare: () => timeOf(children.listener()),
    empty: () => startEmpty(children),
    large: () => timeOf(children.engine({ dataDir: store.dataDir })),
  };
  // Compile caches and file caches are warm from here on.
  await inTurn(2, runs);
  const times = await inTurn(ROUNDS, runs);
  const [bare, empty, large] = [median(times.bare), median(times.empty), median(times.large)];
  const row = (figure: string, measured: number, target: number): Row => ({
    figure,
    measured: ms(measured),
    beside: `${ms(bare)} node that only listens`,
    compared: `+${ms(measured - bare)}`,
    target: `${target} ms`,
    verdict: verdict(measured <= target),
    values: { engine_ms: measured, bare_ms: bare },
  });
  return [
    row("start, empty store", empty, 200),
    row(`start, ${store.sessions / 1000}k sessions, ${(store.events / 1e6).toFixed(2)}M events`, large, 300),
  ];
};

async function startEmpty(children: Children): Promise<number> {
  const dataDir = children.newDataDir();
  const startMs = await timeOf(children.engine({ dataDir }));
  rmSync(dataDir, { recursive: true, force: true });
  return startMs;
}

async function timeOf(starting: Promise<Server>): Promise<number> {
  const server = await starting;
  await server.stop();
  return server.startMs;
}
