import { Command, CommanderError } from "commander";
import packageFile from "../../../package.json" with { type: "json" };
import { createContext, type GlobalOptions } from "../context.ts";
import { EXIT, EXIT_HELP } from "../exit-code.ts";
import { exitOnClosedPipe } from "../output.ts";
import { groupsFor } from "./groups.ts";
import type { Run } from "./run.ts";

/** Runs what was typed. Each command's file is loaded with its first use, so that `serve` and `--help` start fast. */
export async function runProgram(args: readonly string[]): Promise<number> {
  for (const stream of [process.stdout, process.stderr]) exitOnClosedPipe(stream, (code) => process.exit(code));
  let exitCode: number = EXIT.ok;
  const program = createProgram(args, (code) => (exitCode = code));
  try {
    await program.parseAsync(args, { from: "user" });
    return exitCode;
  } catch (error) {
    // Help and version end here too, with 0.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    throw error;
  }
}

function createProgram(args: readonly string[], setExitCode: (code: number) => void): Command {
  const program = new Command("parley")
    .description("The engine for AI agent sessions, and a client of it.")
    .version(packageFile.version, "-V, --version", "print the version")
    .option("--json", "print JSON: one message, or one line for each item of a list")
    .option("--url <url>", "the engine to talk to (PARLEY_URL; else the one of the data directory)")
    .option("--data-dir <path>", "where an engine keeps everything (PARLEY_DATA_DIR; else ~/.parley)")
    .option("--tls-ca <file>", "PEM: who may vouch for an engine with TLS (PARLEY_TLS_CA; not needed for one found)")
    .option("--no-color", "no colours (NO_COLOR; there are none outside a terminal)")
    .helpOption("-h, --help", "print this help")
    .helpCommand("help [command]", "print the help of a command")
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ outputError: (text, write) => write(oneLine(text)) })
    .showSuggestionAfterError()
    .exitOverride()
    .addHelpText("after", `\n${EXIT_HELP}`);

  /** Runs a command with a context of its own, and turns what it throws into one line. */
  const run: Run = async (command, work) => {
    const context = createContext(command.optsWithGlobals<GlobalOptions>());
    try {
      setExitCode(await work(context));
    } catch (error) {
      const { failureOf } = await import("../failure.ts");
      const { text, exitCode } = failureOf(error);
      const { err } = context;
      err.write(`${err.style.red("parley:")} ${err.foreignLine(text)}\n`);
      setExitCode(exitCode);
    } finally {
      context.close();
    }
  };

  for (const { add } of groupsFor(args)) add(program, run);
  return program;
}

/** Commander says "error: what" and its suggestion on a second line. */
function oneLine(text: string): string {
  const line = text
    .trim()
    .replace(/^error: /, "")
    .replace(/\.?\s*\n\s*/g, " ")
    .replace(/\.$/, "");
  return `parley: ${line}; see parley --help\n`;
}
