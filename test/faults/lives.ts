import { createServer } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { reasonOf } from "../../src/client/reason.ts";
import {
  EngineDidNotStart,
  type EngineProcess,
  type EngineProcessOptions,
  makeTempDir,
  startEngineProcess,
} from "../helpers/engine-process.ts";

/** One engine after the other on one data directory and one port. */
export interface Lives {
  readonly dataDir: string;
  /** The engine that serves, as soon as one does. */
  ready(): Promise<EngineProcess>;
  /** Counts the engines that were started. */
  readonly count: number;
  /** kill -9 of whatever there is, serving or still starting; callers wait from now on. */
  kill(): Promise<void>;
  /** Starts the next one; resolves when it serves, or was killed before that. */
  start(options?: Pick<EngineProcessOptions, "entry" | "env">): Promise<EngineProcess | undefined>;
  /** Makes a call until it is answered, by whichever engine. Throws what an engine refuses. */
  untilAnswered<T>(call: () => Promise<T>): Promise<Answered<T>>;
  /** Ends every wait of `ready` and `untilAnswered`. */
  close(): Promise<void>;
}

export interface Answered<T> {
  readonly answer: T;
  /** How many calls had no answer before this one had. */
  readonly lost: number;
}

/** A broken connection while the engine lives: a few are left from the life before, more are a fault. */
const MAX_FAILURES_PER_LIFE = 10;

export async function createLives(): Promise<Lives> {
  const dataDir = makeTempDir("lives");
  const port = await findPort();
  let serving = Promise.withResolvers<EngineProcess>();
  let isServing = false;
  let killProcess: (() => void) | undefined;
  let gone: Promise<unknown> = Promise.resolve();
  let isKilled = false;
  let count = 0;

  const lives: Lives = {
    dataDir,
    ready: () => serving.promise,
    get count() {
      return count;
    },
    async kill() {
      isKilled = true;
      // Whoever waits already goes on waiting: for the next start, or for close.
      if (isServing) serving = Promise.withResolvers();
      isServing = false;
      serving.promise.catch(() => undefined);
      killProcess?.();
      await gone;
    },
    async start(options = {}) {
      count++;
      isKilled = false;
      const starting = startEngineProcess({ ...options, dataDir, port, onSpawn: ({ kill }) => (killProcess = kill) });
      gone = starting.then(({ exited }) => exited).catch(() => undefined);
      try {
        const engine = await starting;
        if (isKilled) return undefined;
        isServing = true;
        serving.resolve(engine);
        return engine;
      } catch (error) {
        if (isKilled && error instanceof EngineDidNotStart && error.status.signal === "SIGKILL") return undefined;
        serving.reject(error);
        throw error;
      }
    },
    async untilAnswered(call) {
      let failures = 0;
      let life = count;
      for (let lost = 0; ; lost++) {
        await lives.ready();
        try {
          return { answer: await call(), lost };
        } catch (error) {
          if (reasonOf(error) !== undefined) throw error;
          failures = life === count ? failures + 1 : 1;
          life = count;
          if (failures > MAX_FAILURES_PER_LIFE) throw error;
          // A broken connection is noticed here before the killer says what it did.
          await pause(5);
        }
      }
    },
    async close() {
      await lives.kill();
      serving.reject(new Error("closed"));
    },
  };
  return lives;
}

/**
 * A port below those that the system gives to outgoing connections: a client that calls one of those while nobody listens
 * can be connected to itself, and then nobody else can listen there.
 */
async function findPort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once("error", () => resolve(false));
      server.listen(port, "127.0.0.1", () => resolve(true));
    });
    if (!isFree) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}
