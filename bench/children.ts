import { type ChildProcess, fork, spawn } from "node:child_process";
import { mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { buildSync } from "esbuild";
import type { Jobs } from "./load.ts";
import { readProcess, scratchFolder, type ProcessState } from "./host.ts";

const root = join(import.meta.dirname, "..");
const START_MS = 30_000;
const STOP_MS = 12_000;

/** A server in a process of its own. */
export interface Server {
  readonly url: string;
  readonly pid: number;
  /** Spawn to its READY line. */
  readonly startMs: number;
  state(): ProcessState | undefined;
  stop(): Promise<void>;
}

export interface EngineServer extends Server {
  readonly token: string;
  readonly dataDir: string;
}

export interface EngineOptions {
  /** A new one where it is not said, removed with the engine. */
  readonly dataDir?: string;
  /** Where profile `openai` sends its calls. */
  readonly upstreamUrl?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** The process that makes the load, so that neither the engine nor this one waits for it. */
export interface Load {
  state(): ProcessState | undefined;
  run<K extends keyof Jobs>(job: K, input: Parameters<Jobs[K]>[0]): Promise<Awaited<ReturnType<Jobs[K]>>>;
  stop(): Promise<void>;
}

/** Starts processes and ends them all. */
export interface Children {
  engine(options?: EngineOptions): Promise<EngineServer>;
  upstream(): Promise<Server>;
  /** connect-node without an engine; with the events of a stored session, where one is named. */
  bare(events?: { readonly database: string; readonly sessionKey: number }): Promise<Server>;
  /** A node process that only listens. */
  listener(): Promise<Server>;
  load(): Load;
  /** A new folder on a disk. */
  newDataDir(): string;
  stopAll(): Promise<void>;
}

/** `profileDir`: where engines leave a CPU profile when they stop. */
export function createChildren(profileDir?: string): Children {
  const stops = new Set<() => Promise<void>>();
  const folders = new Set<string>();

  function newDataDir(): string {
    const folder = mkdtempSync(join(scratchFolder(), "data-"));
    folders.add(folder);
    return folder;
  }

  function owned(child: ChildProcess): () => Promise<void> {
    const onExit = (): void => void child.kill("SIGKILL");
    const stop = async (): Promise<void> => {
      stops.delete(stop);
      await stopChild(child);
      process.off("exit", onExit);
    };
    process.setMaxListeners(100).on("exit", onExit);
    stops.add(stop);
    return stop;
  }

  async function server(child: ChildProcess, spawnedMs: number): Promise<Server> {
    const stop = owned(child);
    const url = await readyUrl(child);
    const startMs = performance.now() - spawnedMs;
    const { pid = 0 } = child;
    return { url, pid, startMs, stop, state: () => readProcess(pid) };
  }

  return {
    newDataDir,
    async engine({ dataDir = newDataDir(), upstreamUrl, env = {} } = {}) {
      const spawnedMs = performance.now();
      const child = spawn(join(root, "bin/parley"), ["serve", "--port", "0", "--data-dir", dataDir], {
        env: {
          ...userEnvironment(),
          ...(upstreamUrl !== undefined && { OPENAI_BASE_URL: upstreamUrl }),
          ...(profileDir !== undefined && { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${profileDir}` }),
          ...env,
        },
        stdio: ["ignore", "pipe", openSync(join(scratchFolder(), "engine.log"), "a")],
      });
      const started = await server(child, spawnedMs);
      return { ...started, dataDir, token: readFileSync(join(dataDir, "token"), "utf8").trim() };
    },
    upstream: () => server(forkProgram("upstream.ts"), performance.now()),
    bare: (events) =>
      server(
        forkProgram(bundledBare(), events === undefined ? [] : [events.database, String(events.sessionKey)]),
        performance.now(),
      ),
    listener: () => {
      const spawnedMs = performance.now();
      const child = spawn(process.execPath, [join(import.meta.dirname, "bare-listen.mjs")], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      return server(child, spawnedMs);
    },
    load: () => {
      const child = forkProgram("load.ts");
      return { stop: owned(child), run: createCaller(child), state: () => readProcess(child.pid ?? 0) };
    },
    async stopAll() {
      await Promise.all([...stops].map((stop) => stop()));
      for (const folder of folders) rmSync(folder, { recursive: true, force: true });
    },
  };
}

function forkProgram(file: string, args: readonly string[] = []): ChildProcess {
  return fork(resolve(import.meta.dirname, file), [...args], {
    stdio: ["ignore", "pipe", "inherit", "ipc"],
    serialization: "advanced",
  });
}

/** As the engine is run: from source its memory would be mostly that of the compiler that strips the types. */
function bundledBare(): string {
  const outfile = join(root, "node_modules/.cache/parley-bench/bare.mjs");
  buildSync({
    entryPoints: [join(import.meta.dirname, "bare.ts")],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    external: ["better-sqlite3"],
  });
  return outfile;
}

/** The caller's own settings must not reach the engine that is measured. */
function userEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(PARLEY_|OPENAI_|NODE_OPTIONS$|NODE_COMPILE_CACHE$)/.test(name)),
  );
}

function readyUrl(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let output = "";
    const name = child.spawnargs.slice(0, 3).join(" ");
    const timer = setTimeout(() => reject(new Error(`${name}: not ready after ${START_MS} ms`)), START_MS);
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`${name}: ended with ${code} before it was ready; see engine.log`)));
    child.stdout?.on("data", (data: Buffer) => {
      output += data.toString();
      const url = /^READY (\S+)\n/m.exec(output)?.[1];
      if (url === undefined) return;
      clearTimeout(timer);
      resolve(url);
    });
  });
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
  child.kill("SIGTERM");
  await ended;
  clearTimeout(timer);
}

/** Calls a job in the load process and waits for what it answers. */
function createCaller(child: ChildProcess): Load["run"] {
  return (job, input) =>
    new Promise((resolve, reject) => {
      const onExit = (code: number | null): void => reject(new Error(`the load process ended with ${code}`));
      child.once("exit", onExit);
      child.once("message", (answer: { error?: string; result?: unknown }) => {
        child.off("exit", onExit);
        if (answer.error === undefined) resolve(answer.result as never);
        else reject(new Error(`${job}: ${answer.error}`));
      });
      child.send({ job, input });
    });
}
