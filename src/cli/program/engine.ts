import type { Command } from "commander";
import { collect, toCount } from "../option-value.ts";
import type { Run } from "./run.ts";

/** The commands that start an engine and tell of it. */
export function addEngineCommands(program: Command, run: Run): void {
  addServe(program, run);
  addBackground(program, run);
  addKeeping(program, run);
  program
    .command("status")
    .description("show what the engine is doing")
    .addHelpText("after", "\nExample: parley status --json")
    .action(async (_options, command: Command) =>
      run(command, async (context) => (await import("../status.ts")).status(context)),
    );
  program
    .command("token")
    .description("print the token that opens the engine")
    .addHelpText("after", '\nExample: curl -H "Authorization: Bearer $(parley token)" ...')
    .action(async (_options, command: Command) =>
      run(command, async (context) => (await import("../token.ts")).token(context)),
    );
}

function addServe(program: Command, run: Run): void {
  const serve = program
    .command("serve")
    .description("start an engine; prints one line, READY and its URL, once it serves")
    .addHelpText("after", "\nExample: OPENAI_API_KEY=... parley serve");
  addServeOptions(serve).action(async (_options, command: Command) =>
    run(command, async (context) => (await import("../serve.ts")).serve(context, command.optsWithGlobals())),
  );
}

function addServeOptions(command: Command): Command {
  return command
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
      "--workspace-root <folder>",
      "sessions work in this folder and below, and nowhere else; may be given several times (PARLEY_WORKSPACE_ROOT; else anywhere)",
      collect,
    )
    .option(
      "--titles <on|off>",
      "off: name sessions by their first words, without a model call (PARLEY_TITLES; else on)",
    )
    .option(
      "--approval-mode <mode>",
      "of sessions for which nobody says it: confirm_all, default, auto_approve_edits, trust_all, plan or restricted (PARLEY_APPROVAL_MODE)",
    )
    .option(
      "--hook-before <hook>",
      "ask this before calls of tools: a program, a JSON array of it and its arguments, or a URL; may be given several times",
      collect,
    )
    .option("--hook-after <hook>", "tell this of calls that are over; may be given several times", collect)
    .option("--hooks <file>", "a JSON file that names hooks, with more to say of each (PARLEY_HOOKS)")
    .option("--hook-env <name>", "a variable that hooks find in their environment; may be given several times", collect)
    .option("--audit-days <days>", "how long the audit log is kept (PARLEY_AUDIT_DAYS; else 400)")
    .option(
      "--sandbox <mode>",
      "of commands that agents run: required, auto (where it works) or off (PARLEY_SANDBOX; else auto)",
    )
    .option(
      "--command-env <names>",
      "variables of the engine's environment that commands of agents find too, separated by commas; may be given several times (PARLEY_COMMAND_ENV; else none)",
      collect,
    )
    .option(
      "--sandbox-network <hosts>",
      "hosts that commands in the sandbox may reach, separated by commas; may be given several times (PARLEY_SANDBOX_NETWORK; else none)",
      collect,
    )
    .option(
      "--fetch-through-proxy",
      "let agents fetch pages through HTTP_PROXY and HTTPS_PROXY, where addresses cannot be checked (PARLEY_FETCH_THROUGH_PROXY)",
    )
    .option("--log-level <level>", "debug, info, warn, error or silent (PARLEY_LOG_LEVEL; else info)");
}

function addBackground(program: Command, run: Run): void {
  const up = program
    .command("up")
    .description("start an engine in the background, unless one runs; prints its URL; options as of serve");
  addServeOptions(up).action(async (_options, command: Command) =>
    run(command, async (context) =>
      (await import("../up.ts")).up(context, command.optsWithGlobals(), typedOptions(command)),
    ),
  );
  program
    .command("down")
    .description("stop the engine, and wait for its end")
    .option("--wait <seconds>", "how long to wait for its end (15)", toCount)
    .option("--force", "kill it where it has not stopped by then")
    .action(async (options: object, command: Command) =>
      run(command, async (context) => (await import("../down.ts")).down(context, options)),
    );
  program
    .command("logs")
    .description("print what an engine in the background has logged")
    .option("-f, --follow", "go on with what comes")
    .option("--lines <n>", "so many of the last lines (100)", toCount)
    .action(async (options: object, command: Command) =>
      run(command, async (context) => (await import("../logs.ts")).logs(context, options)),
    );
}

function addKeeping(program: Command, run: Run): void {
  program
    .command("backup")
    .description("copy the store, while turns run or with the engine stopped; prints where to")
    .option("--output <folder>", "put it in this folder (else: backups in the data directory)")
    .action(async (options: object, command: Command) =>
      run(command, async (context) => (await import("../backup.ts")).backup(context, options)),
    );
  program
    .command("restore <backup>")
    .description("put a backup in the place of the store; the engine must be stopped; the old store is kept aside")
    .action(async (folder: string, _options, command: Command) =>
      run(command, async (context) => (await import("../restore.ts")).restore(context, folder)),
    );
  program
    .command("doctor")
    .description("look everything in the data directory through, also while an engine runs; ends with 0 if all is well")
    .action(async (_options, command: Command) =>
      run(command, async (context) => (await import("../doctor.ts")).doctor(context)),
    );
}

/** The options that were typed, to be typed again. */
function typedOptions(command: Command): readonly string[] {
  return command.options.flatMap((option) => {
    const name = option.attributeName();
    if (command.getOptionValueSource(name) !== "cli" || option.long === undefined) return [];
    const value = command.getOptionValue(name) as string | boolean | readonly string[];
    if (typeof value === "boolean") return [option.long];
    // One word, so that a value that begins with a dash is none of ours.
    return [value].flat().map((text) => `${option.long}=${text}`);
  });
}
