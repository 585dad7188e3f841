import { setTimeout as sleep } from "node:timers/promises";
import type { Children, Server } from "../children.ts";
import { kilobytes, megabytes, skipped, verdict, type Row } from "../row.ts";
import type { Figure } from "./figure.ts";

const WATCHERS = 1000;
const CONNECTIONS = 4;
const SETTLE_MS = 2000;

/** What an engine holds that does nothing, and what each watcher of a quiet session adds. */
export const memory: Figure = async (children) => {
  const engine = await children.engine();
  const bare = await children.bare();
  if (engine.state() === undefined) return [skipped("memory", "100 MB", "this system has no /proc")];
  await sleep(SETTLE_MS);
  const idle = rssOf(engine);
  const bareIdle = rssOf(bare);
  const target = { url: engine.url, token: engine.token };
  const load = children.load();
  // Each watcher has a session of its own: the dearest case.
  const sessionIds = await load.run("createSessions", { target, count: WATCHERS });
  const perWatcher = await growth(children, engine, target.token, sessionIds);
  const perBareStream = await growth(children, bare, "", sessionIds);
  await children.stopAll();
  return [idleRow(idle, bareIdle), watcherRow(perWatcher, perBareStream)];
};

function rssOf(server: Server): number {
  return server.state()?.rssBytes ?? NaN;
}

/** Bytes that one open stream adds. */
async function growth(
  children: Children,
  server: Server,
  token: string,
  sessionIds: readonly string[],
): Promise<number> {
  const target = { url: server.url, token };
  const load = children.load();
  await load.run("holdWatchers", { target, sessionIds: sessionIds.slice(0, 50), connections: CONNECTIONS });
  await sleep(SETTLE_MS);
  const before = rssOf(server);
  await load.run("holdWatchers", { target, sessionIds, connections: CONNECTIONS });
  await sleep(SETTLE_MS);
  const after = rssOf(server);
  await load.stop();
  return (after - before) / sessionIds.length;
}

function idleRow(idle: number, bare: number): Row {
  return {
    figure: "memory, idle",
    measured: megabytes(idle),
    beside: `${megabytes(bare)} bare`,
    compared: `+${megabytes(idle - bare)}`,
    target: "100 MB",
    verdict: verdict(idle <= 100e6),
    values: { engine_bytes: idle, bare_bytes: bare },
  };
}

function watcherRow(own: number, bare: number): Row {
  return {
    figure: "  each idle watcher",
    measured: kilobytes(own),
    beside: `${kilobytes(bare)} bare`,
    compared: `+${kilobytes(own - bare)}`,
    target: "60 KB",
    verdict: verdict(own <= 60e3),
    values: { engine_bytes: own, bare_bytes: bare },
  };
}
