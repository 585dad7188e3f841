import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import packageFile from "../../package.json" with { type: "json" };
import { type Context, createContext, type GlobalOptions } from "./context.ts";
import { EXIT, EXIT_HELP } from "./exit-code.ts";
import { exitOnClosedPipe } from "./output.ts";

/** Runs what was typed. Each command's file is loaded with its first use, so that `serve` and `--help` start fast. */
export async function runProgram(args: readonly string[]): Promise<number> {
  for (const stream of [process.stdout, process.stderr]) exitOnClosedPipe(stream, (code) => process.exit(code));
  let exitCode: number = EXIT.ok;
  const program = createProgram((code) => (exitCode = code));
  try {
    await program.parseAsync(args, { from: "user" });
    return exitCode;
  } catch (error) {
    // Help and version end here too, with 0.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    throw error;
  }
}

function createProgram(setExitCode: (code: number) => void): Command {
  const program = new Command("parley")
    .description("The engine for AI agent sessions, and a client of it.")
    .version(packageFile.version, "-V, --version", "print the version")
    .option("--json", "print JSON: one message, or one line for each item of a list")
    .option("--url <url>", "the engine to talk to (PARLEY_URL; else the one of the data directory)")
    .option("--data-dir <path>", "where an engine keeps everything (PARLEY_DATA_DIR; else ~/.parley)")
    .option("--no-color", "no colours (NO_COLOR; there are none outside a terminal)")
    .helpOption("-h, --help", "print this help")
    .helpCommand("help [command]", "print the help of a command")
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ outputError: (text, write) => write(oneLine(text)) })
    .showSuggestionAfterError()
    .exitOverride()
    .addHelpText("after", `\n${EXIT_HELP}`);

  /** Runs a command with a context of its own, and turns what it throws into one line. */
  const run = async (command: Command, work: (context: Context) => Promise<number>): Promise<void> => {
    const context = createContext(command.optsWithGlobals<GlobalOptions>());
    try {
      setExitCode(await work(context));
    } catch (error) {
      const { failureOf } = await import("./failure.ts");
      const { text, exitCode } = failureOf(error);
      const { err } = context;
      err.write(`${err.style.red("parley:")} ${err.foreignLine(text)}\n`);
      setExitCode(exitCode);
    } finally {
      context.close();
    }
  };

  addServe(program, run);
  addTalking(program, run);
  addSessions(program, run);
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
  return program;
}

type Run = (command: Command, work: (context: Context) => Promise<number>) => Promise<void>;

function addServe(program: Command, run: Run): void {
  program
    .command("serve")
    .description("start an engine; prints one line, READY and its URL, once it serves")
    .option("--host <host>", "the address to listen on (PARLEY_HOST; else 127.0.0.1)")
    .option("--port <port>", "the port, 0 for a free one (PARLEY_PORT; else 7433)")
    .option("--allow-origin <origin>", "another origin whose pages may call; may be given several times", collect)
    .option(
      "--allow-host <name>",
      "another name that requests may be addressed to; may be given several times",
      collect,
    )
    .option("--log-level <level>", "debug, info, warn, error or silent (PARLEY_LOG_LEVEL; else info)")
    .action(async (_options, command: Command) =>
      run(command, async (context) => (await import("./serve.ts")).serve(context, command.optsWithGlobals())),
    );
}

function addTalking(program: Command, run: Run): void {
  program
    .command("chat")
    .description("talk to a model; Ctrl-C stops its answer, a second one leaves")
    .addOption(new Option("--session <id>", "go on with this session").conflicts("continue"))
    .option("--continue", "go on with the newest session")
    .addOption(new Option("--profile <name>", "the profile of a new session").conflicts(["session", "continue"]))
    .option("--model <model>", "a model other than the profile's")
    .action(async (options: object, command: Command) =>
      run(command, async (context) => (await import("./chat.ts")).chat(context, options)),
    );
  program
    .command("run [text]")
    .description("run one turn and print the answer; without text, or with -, reads stdin")
    .option("--session <id>", "in this session instead of a new one")
    .addOption(new Option("--profile <name>", "the profile of a new session").conflicts("session"))
    .option("--model <model>", "a model other than the profile's")
    .addOption(new Option("--system <text>", "instructions of a new session").conflicts("session"))
    .action(async (text: string | undefined, options: object, command: Command) =>
      run(command, async (context) => (await import("./run.ts")).run(context, text, options)),
    );
  program
    .command("watch <session>")
    .description("show a session, live; goes on over restarts of the engine")
    .option("--after-seq <n>", "begin after this event instead of at the first", toSeq)
    .action(async (sessionId: string, options: object, command: Command) =>
      run(command, async (context) => (await import("./watch.ts")).watch(context, sessionId, options)),
    );
}

function addSessions(program: Command, run: Run): void {
  const sessions = program.command("sessions").description("list, show and delete sessions");
  sessions
    .command("list")
    .description("list the sessions, the newest first")
    .option("--limit <n>", "how many at most, 0 for all (50)", toLimit)
    .action(async (options: object, command: Command) =>
      run(command, async (context) => (await import("./sessions-list.ts")).listSessions(context, options)),
    );
  sessions
    .command("show <session>")
    .description("show a session and its messages")
    .action(async (sessionId: string, _options, command: Command) =>
      run(command, async (context) => (await import("./sessions-show.ts")).showSession(context, sessionId)),
    );
  sessions
    .command("delete <sessions...>")
    .description("delete sessions with everything in them")
    .action(async (sessionIds: string[], _options, command: Command) =>
      run(command, async (context) => (await import("./sessions-delete.ts")).deleteSessions(context, sessionIds)),
    );
}

/** For options that may be given several times. */
function collect(value: string, previous: readonly string[] | undefined): readonly string[] {
  return [...(previous ?? []), value];
}

function toSeq(text: string): bigint {
  if (/^\d{1,18}$/.test(text)) return BigInt(text);
  throw new InvalidArgumentError("give the number of an event, 0 or more.");
}

function toLimit(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("give a number, 0 for all.");
}

/** Commander says "error: what" and its suggestion on a second line. */
function oneLine(text: string): string {
  const line = text
    .trim()
    .replace(/^error: /, "")
    .replace(/\.?\s*\n\s*/g, " ");
  return `parley: ${line}; see parley --help\n`;
}
