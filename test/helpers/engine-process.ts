import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "../..");
const LAUNCHER = join(ROOT, "bin/parley");

/** The project's own Node, which the launcher takes too. */
const PINNED_NODE = join(ROOT, "node_modules/node/bin/node");
const NODE = existsSync(PINNED_NODE) ? PINNED_NODE : process.execPath;

/** An engine that has not said READY by then never will, on whatever machine. */
const START_LIMIT_MS = 120_000;

/** How much of the log is kept for the message of a test that fails. */
const MAX_LOG_CHARS = 64 * 1024;

export interface EngineProcessOptions {
  /** A descriptor for stderr instead of `log()`. */
  readonly stderr?: number;
  /** Absent = a new folder, removed when this process ends. */
  readonly dataDir?: string;
  /** 0 (the default) = a free one. */
  readonly port?: number;
  /** Addresses to listen on instead of a port. */
  readonly listen?: readonly string[];
  /** A test program that starts the engine, given the same arguments; absent = `bin/parley`. */
  readonly entry?: string;
  readonly args?: readonly string[];
  /** Added to this process's own, of which no `PARLEY_` or `OPENAI_` variable is passed on. */
  readonly env?: Readonly<Record<string, string>>;
  /** Told of the process before it is READY: who kills engines at random moments kills some that are starting. */
  readonly onSpawn?: (started: { readonly pid: number; kill(): void }) => void;
}

export interface ExitStatus {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** An engine in a process of its own. */
export interface EngineProcess {
  readonly url: string;
  readonly port: number;
  readonly token: string;
  readonly dataDir: string;
  readonly pid: number;
  /** From the spawn to READY. */
  readonly startMs: number;
  readonly exited: Promise<ExitStatus>;
  /** The end of what it wrote to stderr. */
  log(): string;
  /** kill -9, and wait until it is gone. */
  kill(): Promise<void>;
  /** SIGTERM, and wait for its end. */
  stop(): Promise<ExitStatus>;
}

/** What became of an engine that did not start. */
export class EngineDidNotStart extends Error {
  override readonly name = "EngineDidNotStart";
  readonly status: ExitStatus;
  readonly stdout: string;
  readonly stderr: string;

  constructor(status: ExitStatus, stdout: string, stderr: string) {
    super(`the engine ended with ${status.code ?? status.signal} before it was READY: ${stderr.trim()}`);
    this.status = status;
    this.stdout = stdout;
    this.stderr = stderr;
  }
}

const running = new Set<ChildProcess>();
const folders = new Set<string>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A folder that is removed when this process ends. */
export function makeTempDir(name = "data"): string {
  const folder = mkdtempSync(join(tmpdir(), `parley-${name}-`));
  folders.add(folder);
  return folder;
}

/** Starts an engine and waits for its READY line. Rejects with EngineDidNotStart. */
export async function startEngineProcess(options: EngineProcessOptions = {}): Promise<EngineProcess> {
  const dataDir = options.dataDir ?? makeTempDir();
  const startedAt = performance.now();
  const where = options.listen?.flatMap((address) => ["--listen", address]) ?? ["--port", String(options.port ?? 0)];
  const command = ["serve", "--data-dir", dataDir, ...where, ...(options.args ?? [])];
  const [file, ...before] = options.entry === undefined ? [LAUNCHER] : [NODE, options.entry];
  const child = spawn(file, [...before, ...command], {
    env: { ...cleanEnv(), PARLEY_LOG_LEVEL: "warn", ...options.env },
    stdio: ["ignore", "pipe", options.stderr ?? "pipe"],
  });
  running.add(child);
  let stdout = "";
  let stderr = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr = (stderr + text).slice(-MAX_LOG_CHARS)));
  child.stdout?.setEncoding("utf8");
  const exited = new Promise<ExitStatus>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      running.delete(child);
      resolve({ code, signal });
    });
  });
  options.onSpawn?.({ pid: child.pid ?? 0, kill: () => child.kill("SIGKILL") });
  const url = await new Promise<string>((resolve, reject) => {
    const tooLate = setTimeout(() => child.kill("SIGKILL"), START_LIMIT_MS);
    child.stdout?.on("data", (text: string) => {
      stdout += text;
      const ready = /^READY (\S+)[^\n]*\n/.exec(stdout)?.[1];
      if (ready === undefined) return;
      clearTimeout(tooLate);
      resolve(ready);
    });
    exited.then((status) => {
      clearTimeout(tooLate);
      reject(new EngineDidNotStart(status, stdout, stderr));
    }, reject);
  });
  return {
    url,
    port: Number(new URL(url).port),
    token: readFileSync(join(dataDir, "token"), "utf8").trim(),
    dataDir,
    pid: child.pid ?? 0,
    startMs: performance.now() - startedAt,
    exited,
    log: () => stderr,
    kill: async () => {
      child.kill("SIGKILL");
      await exited;
    },
    stop: () => {
      child.kill("SIGTERM");
      return exited;
    },
  };
}

/** Starts an engine that is expected not to start. */
export async function startRefused(options: EngineProcessOptions): Promise<EngineDidNotStart> {
  try {
    const engine = await startEngineProcess(options);
    await engine.kill();
  } catch (error) {
    if (error instanceof EngineDidNotStart) return error;
    throw error;
  }
  throw new Error("the engine started");
}

/** Resident memory of a process, in bytes. Linux only, as all that looks into processes here. */
export function memoryOf(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kib) * 1024;
}

/** How many descriptors a process holds. */
export function descriptorsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

function cleanEnv(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(PARLEY|OPENAI)_/.test(name)));
}
