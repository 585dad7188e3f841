import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, createReadStream, statSync } from "node:fs";
import { type Flags, readConfig } from "../config.ts";
import { openDataDir } from "../data-dir.ts";
import { DomainError } from "../errors.ts";
import type { Context } from "./context.ts";
import { engineLogFile, openEngineLog } from "./engine-log.ts";
import { EXIT, type ExitCode } from "./exit-code.ts";
import { findRunning, type RunningEngine, untilRunning } from "./running-engine.ts";

/** A large store that is brought to a new schema takes its time. */
const START_LIMIT_MS = 120_000;

/** How much of what a failed start has written is told. */
const TOLD_BYTES = 4096;

/** Starts an engine in the background, or finds the one that runs; stdout gets its URL. */
export async function up(context: Context, flags: Flags, args: readonly string[]): Promise<ExitCode> {
  const { env, out, json } = context;
  // Refused here, not in a log that somebody has to find.
  const { dataDir } = readConfig(env, flags);
  const before = findRunning(dataDir);
  const found = before === "busy" ? await untilRunning(dataDir, START_LIMIT_MS, (seen) => seen !== "busy") : before;
  if (found === "busy") throw busy(dataDir);
  const engine = found ?? (await start(dataDir, args));
  const isNew = found === undefined && !("isOther" in engine);
  if (json) out.write(`${JSON.stringify({ url: engine.url, pid: engine.pid, started: isNew })}\n`);
  else out.write(`${engine.url}\n`);
  context.note(
    isNew
      ? `started as process ${engine.pid}; it logs to ${engineLogFile(dataDir)}`
      : `it runs already, as process ${engine.pid}`,
  );
  return EXIT.ok;
}

type Started = RunningEngine | (RunningEngine & { readonly isOther: true });

async function start(dataDir: string, args: readonly string[]): Promise<Started> {
  openDataDir(dataDir);
  const log = openEngineLog(dataDir);
  const logged = statSync(engineLogFile(dataDir)).size;
  const child = spawn(
    process.execPath,
    [...process.execArgv, process.argv[1] ?? "", "serve", "--data-dir", dataDir, ...args],
    {
      // A session of its own: neither Ctrl-C nor the end of this terminal reaches it.
      detached: true,
      stdio: ["ignore", "pipe", log],
    },
  );
  closeSync(log);
  const url = await readyUrl(child);
  child.stdout?.destroy();
  child.unref();
  if (url !== undefined) return { url, pid: child.pid ?? 0 };
  if (child.exitCode === null && child.signalCode === null) {
    throw failed(`the engine (process ${child.pid}) has not begun to serve yet; see \`parley logs\``);
  }
  // Somebody else may have been quicker.
  const other = await untilRunning(dataDir, START_LIMIT_MS, (seen) => seen !== "busy");
  if (other !== undefined && other !== "busy") return { ...other, isOther: true };
  throw failed(await lastWords(dataDir, logged));
}

/** Undefined where it ended before it served, or takes too long. */
function readyUrl(child: ChildProcess): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    let said = "";
    const timer = setTimeout(() => resolve(undefined), START_LIMIT_MS);
    const settle = (url: string | undefined): void => {
      clearTimeout(timer);
      resolve(url);
    };
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      said += text;
      const url = /^READY (\S+).*\n/.exec(said)?.[1];
      if (url !== undefined) settle(url);
    });
    child.once("error", reject);
    child.once("close", () => settle(undefined));
  });
}

/** What it wrote last, without what a program writes before its words. */
async function lastWords(dataDir: string, from: number): Promise<string> {
  let text = "";
  const stream = createReadStream(engineLogFile(dataDir), { encoding: "utf8", start: from });
  for await (const chunk of stream) text = (text + String(chunk)).slice(-TOLD_BYTES);
  const line = text.trim().split("\n").at(-1) ?? "";
  return line === "" ? "the engine ended before it served, and said nothing" : line.replace(/^parley: /, "");
}

function busy(dataDir: string): DomainError {
  return failed(`something works on ${dataDir} and takes long; try again, or see \`parley logs\``);
}

function failed(message: string): DomainError {
  return new DomainError("precondition", "ENGINE_NOT_STARTED", message);
}
