import { pino } from "pino";
import packageFile from "../package.json" with { type: "json" };
import { systemClock } from "./clock.ts";
import { createClosers } from "./closers.ts";
import type { Config } from "./config.ts";
import { nameOfDataDir } from "./data-dir.ts";
import type { Base, Engine, EngineParts } from "./engine/base.ts";
import { openStore, type Store } from "./engine/open-store.ts";
import { openTurns } from "./engine/open-turns.ts";
import { serve } from "./engine/serve.ts";
import { createLogOutput } from "./log-output.ts";
import { prepareWaysIn } from "./server/ways-in.ts";
import { endLeftOvers } from "./tool/process/processes.ts";
import { recoverTurns } from "./turn/recover.ts";

/** What `startEngine` is told, and what makes it from the environment and flags. */
export { readConfig, type Config } from "./config.ts";
export type { Engine, EngineParts } from "./engine/base.ts";

/**
 * Builds the long-lived things by hand, in order, and starts to serve. Throws DomainError `LISTEN_INSECURE`, `TLS_INVALID`,
 * `DATA_DIR_UNUSABLE`, `DATA_DIR_LOCKED`, `SANDBOX_MISSING`, `STORE_DAMAGED`, `STORE_NEWER`, `STORE_FOREIGN`, and what the listener throws;
 * nothing is left open then.
 */
export async function startEngine(config: Config, parts: EngineParts = {}): Promise<Engine> {
  const logger = parts.logger ?? pino({ level: config.logLevel }, createLogOutput(2));
  const onBug = (what: string, error: unknown): void => logger.error({ err: error }, what);
  const closers = createClosers();
  const base: Base = { config, parts, clock: parts.clock ?? systemClock, logger, closers, onBug };
  const waysIn = prepareWaysIn(config, base.clock);
  try {
    const store = await openStore(base);
    if (store.wasKilled) await endWhatWasLeft(base, store);
    const turns = await openTurns(base, store);
    const recovered = await recoverTurns(turns, turns.runner);
    if (recovered > 0) logger.info({ turns: recovered }, "recovered turns that a stop cut off");
    const { urls, reloadTls } = await serve(base, store, turns, waysIn);
    logger.info({ urls, version: packageFile.version }, "serving");
    return { url: urls[0] ?? "", urls, token: store.token, reloadTls, close: closers.closeAll };
  } catch (error) {
    await closers.closeAll();
    throw error;
  }
}

/** What the commands of an engine that was killed have left running: what they did is told to be over. */
async function endWhatWasLeft({ config, logger }: Base, { sandbox }: Store): Promise<void> {
  const ended = await endLeftOvers(nameOfDataDir(config.dataDir));
  if (ended.length > 0) logger.warn({ processes: ended }, "ended processes that the last engine's commands had left");
  await sandbox.removeLeft();
}
