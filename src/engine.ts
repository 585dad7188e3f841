import { join } from "node:path";
import { pino, type Logger } from "pino";
import packageFile from "../package.json" with { type: "json" };
import { systemClock, type Clock } from "./clock.ts";
import type { Config } from "./config.ts";
import { lockDataDir, openDataDir, readOrMakeToken, removeEngineFile, writeEngineFile } from "./data-dir.ts";
import { DomainError } from "./errors.ts";
import { createEventLog } from "./event/event-log.ts";
import { readLogEpoch } from "./event/log-epoch.ts";
import { newId } from "./id.ts";
import { createIdempotency } from "./idempotency/idempotency.ts";
import { createModelCache } from "./model/model-cache.ts";
import { createProfiles } from "./profile/profile.ts";
import { encodePayload } from "./rpc/event-codec.ts";
import { createHealthService } from "./rpc/health.ts";
import { createInterceptors } from "./rpc/interceptors/interceptors.ts";
import { createTokenFinder, hashToken } from "./rpc/interceptors/principal.ts";
import { registerServices, SERVICES } from "./rpc/services.ts";
import { createApp } from "./server/app.ts";
import { createRemovedSessions } from "./session/removed-sessions.ts";
import type { Database } from "./store/database.ts";
import { openSqlite } from "./store/sqlite.ts";
import { createNowTool } from "./tool/now.ts";
import type { Tool } from "./tool/tool.ts";
import { cancelTurn } from "./turn/cancel-turn.ts";
import { recoverTurns } from "./turn/recover.ts";
import { createTurnRunner } from "./turn/turn-runner.ts";

/** How long a stop waits for open calls, and DeleteSession for its turn. Both are parts of the 10 s that a stop may take. */
const GRACE_MS = 2000;
const DELETE_WAIT_MS = 10_000;

/** Keys of retried calls are forgotten this often. */
const SWEEP_KEYS_MS = 60 * 60_000;

/** A running engine. */
export interface Engine {
  readonly url: string;
  /** The admin token. */
  readonly token: string;
  /** Ends what runs, in order, and gives the data directory back. */
  close(): Promise<void>;
}

/** What a test or an embedder may replace. */
export interface EngineParts {
  readonly clock?: Clock;
  readonly logger?: Logger;
  readonly random?: () => number;
  /** Another store than the file `parley.db` of the data directory. */
  readonly openDatabase?: (path: string, clock: Clock) => Database;
  /** Tools besides the engine's own. */
  readonly tools?: readonly Tool[];
}

/**
 * Builds the long-lived things by hand, in order, and starts to serve. Throws DomainError `DATA_DIR_UNUSABLE`,
 * `DATA_DIR_LOCKED`, `STORE_DAMAGED`, `STORE_NEWER`, `STORE_FOREIGN`, and what the listener throws; nothing is left open then.
 */
export async function startEngine(config: Config, parts: EngineParts = {}): Promise<Engine> {
  const { clock = systemClock, random = Math.random, openDatabase = openSqlite } = parts;
  const logger = parts.logger ?? pino({ level: config.logLevel }, pino.destination(2));
  const onBug = (what: string, error: unknown): void => logger.error({ err: error }, what);
  const closers: (() => Promise<void> | void)[] = [];
  const closeAll = async (): Promise<void> => {
    for (const close of closers.splice(0).toReversed()) await close();
  };

  try {
    openDataDir(config.dataDir);
    closers.push(lockDataDir(config.dataDir));
    const token = readOrMakeToken(config.dataDir);
    const db = openDatabase(join(config.dataDir, "parley.db"), clock);
    closers.push(() => db.close());
    const logEpoch = await readLogEpoch(db);

    const log = createEventLog(db, encodePayload, clock);
    closers.push(() => log.close());
    const idempotency = createIdempotency(db, clock);
    const profiles = createProfiles(config.profiles, config.defaultProfile);
    const models = createModelCache(clock);
    closers.push(() => models.close());
    const tools = [createNowTool(clock), ...(parts.tools ?? [])];
    const removed = createRemovedSessions(db, onBug);
    closers.push(() => removed.close());

    const turnDeps = { db, log, clock, newId, profiles, models, tools, random, onBug };
    const runner = createTurnRunner(turnDeps);
    closers.push(() => runner.stopAll());
    const recovered = await recoverTurns(turnDeps, runner);
    if (recovered > 0) logger.info({ turns: recovered }, "recovered turns that a stop cut off");

    let isStopping = false;
    const health = createHealthService(SERVICES.map(({ typeName }) => typeName));
    const deps = {
      ...turnDeps,
      runner,
      idempotency,
      removed,
      health,
      logEpoch,
      version: packageFile.version,
      startTimeMs: clock.now(),
      checkRunning: () => {
        if (isStopping) throw engineStopping();
      },
      stopTurn: (sessionId: string, turnId: string) =>
        cancelTurn({ db, clock, runner }, { sessionId, turnId, waitMs: DELETE_WAIT_MS }),
    };
    const interceptors = createInterceptors({ findPrincipal: findPrincipalOf(token, config), logger, clock });
    const app = createApp({
      routes: (router) => registerServices(router, deps),
      rpc: interceptors,
      guard: { allowHosts: config.allowHosts, allowOrigins: config.allowOrigins },
      isReady: () => !isStopping,
      onError: (error, where) => onBug(where, error),
      clock,
    });
    closers.push(() => app.close({ graceMs: GRACE_MS }));
    const { url } = await app.listen({ host: config.host, port: config.port });

    writeEngineFile(config.dataDir, { url, pid: process.pid, version: deps.version });
    closers.push(() => removeEngineFile(config.dataDir));
    closers.push(startHousekeeping(clock, () => idempotency.sweep(), onBug));
    closers.push(() => {
      isStopping = true;
      health.stop();
      log.stopReaders(engineStopping());
    });
    health.setServing(true);
    removed.sweep();
    void interceptors.warm(SERVICES).catch((error: unknown) => onBug("warming up", error));
    logger.info({ url, version: deps.version }, "serving");
    return { url, token, close: closeAll };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

function findPrincipalOf(token: string, config: Config) {
  const admin = { name: "admin", scope: "admin" } as const;
  const tokens = config.token === undefined ? [token] : [token, config.token];
  const known = tokens.map((text) => ({ principal: admin, sha256: hashToken(text) }));
  return createTokenFinder(() => known);
}

function engineStopping(): DomainError {
  return new DomainError("unavailable", "ENGINE_STOPPING", "the engine is stopping; connect again");
}

/** Repeats a small job until it is stopped. */
function startHousekeeping(
  clock: Clock,
  job: () => Promise<void>,
  onBug: (what: string, error: unknown) => void,
): () => void {
  let cancel = clock.after(SWEEP_KEYS_MS, run);
  function run(): void {
    job().catch((error: unknown) => onBug("housekeeping", error));
    cancel = clock.after(SWEEP_KEYS_MS, run);
  }
  return () => cancel();
}
