import type { Command } from "commander";
import { collect } from "./option-value.ts";
import type { Run } from "./program-run.ts";

/** The commands that start an engine and tell of it. */
export function addEngineCommands(program: Command, run: Run): void {
  addServe(program, run);
  program
    .command("status")
    .description("show what the engine is doing")
    .action(async (_options, command: Command) =>
      run(command, async (context) => (await import("./status.ts")).status(context)),
    );
  program
    .command("token")
    .description("print the token that opens the engine")
    .action(async (_options, command: Command) =>
      run(command, async (context) => (await import("./token.ts")).token(context)),
    );
}

function addServe(program: Command, run: Run): void {
  program
    .command("serve")
    .description("start an engine; prints one line, READY and its URL, once it serves")
    .option("--host <host>", "the address to listen on (PARLEY_HOST; else 127.0.0.1)")
    .option("--port <port>", "the port, 0 for a free one (PARLEY_PORT; else 7433)")
    .option(
      "--listen <address>",
      "unix:PATH or tcp:HOST:PORT, besides --host and --port or instead; may be given several times (PARLEY_LISTEN)",
      collect,
    )
    .option("--tls-cert <file>", "speak TLS on ports, with this certificate and its chain as PEM (PARLEY_TLS_CERT)")
    .option("--tls-key <file>", "its private key as PEM (PARLEY_TLS_KEY)")
    .option("--allow-insecure-remote", "serve other machines without TLS (PARLEY_ALLOW_INSECURE_REMOTE)")
    .option("--allow-origin <origin>", "another origin whose pages may call; may be given several times", collect)
    .option(
      "--allow-host <name>",
      "another name that requests may be addressed to; may be given several times",
      collect,
    )
    .option(
      "--titles <on|off>",
      "off: name sessions by their first words, without a model call (PARLEY_TITLES; else on)",
    )
    .option("--log-level <level>", "debug, info, warn, error or silent (PARLEY_LOG_LEVEL; else info)")
    .action(async (_options, command: Command) =>
      run(command, async (context) => (await import("./serve.ts")).serve(context, command.optsWithGlobals())),
    );
}
