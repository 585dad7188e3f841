import { readDataDir } from "../config.ts";
import { DomainError } from "../errors.ts";
import type { Context } from "./context.ts";
import { EXIT, type ExitCode } from "./exit-code.ts";
import { findRunning, untilRunning } from "./running-engine.ts";

/** A stop takes 10 s at most. */
const STOP_LIMIT_S = 15;
const KILL_LIMIT_MS = 5_000;
/** From the lock to `engine.json`, and back. */
const BUSY_LIMIT_MS = 5_000;

export interface DownOptions {
  /** Kills it where it does not stop in time. */
  readonly force?: boolean;
  /** How many seconds to wait for its end. */
  readonly wait?: number;
}

/** Stops the engine of the data directory, and waits until it is gone. */
export async function down(context: Context, { force = false, wait = STOP_LIMIT_S }: DownOptions): Promise<ExitCode> {
  const { env, globals, out, json } = context;
  const dataDir = readDataDir(env, globals.dataDir);
  const tell = (stopped: boolean, text: string): ExitCode => {
    if (json) out.write(`${JSON.stringify({ stopped })}\n`);
    else context.note(text);
    return EXIT.ok;
  };
  const engine = await untilRunning(
    dataDir,
    findRunning(dataDir) === "busy" ? BUSY_LIMIT_MS : 0,
    (seen) => seen !== "busy",
  );
  if (engine === undefined) return tell(false, `no engine is running on ${dataDir}`);
  if (engine === "busy") throw failed(`something works on ${dataDir}, and does not say which process it is; try again`);
  if (await end(dataDir, engine.pid, "SIGTERM", wait * 1000)) return tell(true, `stopped process ${engine.pid}`);
  if (!force) throw failed(`process ${engine.pid} has not stopped in ${wait} s; --force kills it`);
  if (await end(dataDir, engine.pid, "SIGKILL", KILL_LIMIT_MS)) return tell(true, `killed process ${engine.pid}`);
  throw failed(`process ${engine.pid} cannot be killed; the system has to let it go first`);
}

/** True: nobody has the data directory any more, or somebody else. */
async function end(dataDir: string, pid: number, signal: NodeJS.Signals, limitMs: number): Promise<boolean> {
  try {
    process.kill(pid, signal);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // Gone already: its lock is, too.
    if (code !== "ESRCH") throw failed(`process ${pid} cannot be stopped by this user (${code})`);
  }
  const isGone = (seen: ReturnType<typeof findRunning>): boolean =>
    seen === undefined || (seen !== "busy" && seen.pid !== pid);
  return isGone(await untilRunning(dataDir, limitMs, isGone));
}

function failed(message: string): DomainError {
  return new DomainError("precondition", "ENGINE_NOT_STOPPED", message);
}
