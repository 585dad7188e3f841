import { type Flags, readConfig } from "../config.ts";
import { DomainError } from "../errors.ts";
import { type Engine, startEngine } from "../engine.ts";
import { installShutdown } from "../server/shutdown.ts";
import type { Context } from "./context.ts";
import { EXIT } from "./exit-code.ts";

/** Serves until a signal ends it. stdout gets the READY line with all URLs and nothing else: programs wait for it. */
export async function serve(context: Context, flags: Flags): Promise<number> {
  const { out, err, env } = context;
  const engine = await startOrTell(() => startEngine(readConfig(env, flags)), context);
  if (engine === undefined) return EXIT.failed;
  return new Promise((resolve) => {
    installShutdown({
      close: () => engine.close(),
      exit: resolve,
      onSignal: () => {
        if (err.isTerminal) context.note("stopping; once more to stop at once");
      },
      onFailure: (error) => context.note(error instanceof Error ? error.message : String(error)),
    });
    reloadOnHangUp(engine, context);
    out.write(`READY ${engine.urls.join(" ")}\n`);
    if (err.isTerminal) {
      const next = context.commandLine("chat");
      err.write(`${err.style.dim("talk to it from another terminal:")} ${err.style.bold(next)}\n`);
    }
  });
}

/** A start that fails is told like any failure, but it is this engine's own: no other one is missing. */
async function startOrTell<T>(start: () => Promise<T>, { err }: Context): Promise<T | undefined> {
  try {
    return await start();
  } catch (error) {
    if (!(error instanceof DomainError) || error.code !== "unavailable") throw error;
    err.write(`${err.style.red("parley:")} ${err.foreignLine(error.message)}\n`);
    return undefined;
  }
}

/**
 * SIGHUP asks an engine with TLS in the background to read its files again. In a terminal it says that this is closed, and
 * ends the engine as it ends any program; so it does where there is nothing to read.
 */
function reloadOnHangUp(engine: Engine, { err, note }: Context): void {
  if (err.isTerminal || !engine.urls.some((url) => url.startsWith("https:"))) return;
  process.on("SIGHUP", () => {
    try {
      engine.reloadTls();
    } catch (error) {
      note(error instanceof Error ? error.message : String(error));
    }
  });
}
