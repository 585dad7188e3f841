import type { Command } from "commander";
import { collectEnd, toLimit, toSpanMs } from "../option-value.ts";
import type { Run } from "./run.ts";

/** The commands for the audit log. */
export function addAuditCommands(program: Command, run: Run): void {
  const audit = program.command("audit").description("what was done with the engine, by whom and when");
  addFilter(audit.command("list"))
    .description("list entries of the audit log, the newest first")
    .option("--limit <n>", "so many at most, 0 for all (50)", toLimit)
    .addHelpText("after", "\nExample: parley audit list --action permission-decided --since 1h")
    .action(async (options: object, command: Command) =>
      run(command, async (context) => (await import("../audit/list.ts")).listEntries(context, options)),
    );
  addFilter(audit.command("export"))
    .description("write entries as JSON lines, the newest first")
    .option("-o, --output <file>", "to this file; else to stdout")
    .addHelpText("after", "\nExample: parley audit export -o audit.jsonl")
    .action(async (options: object, command: Command) =>
      run(command, async (context) => (await import("../audit/export.ts")).exportEntries(context, options)),
    );
  audit
    .command("verify")
    .description(
      "follow the log in the data directory from end to end, also while an engine runs; ends with 0 if all is well",
    )
    .option(
      "--head <end>",
      "an end that it must have had, from the log of a stop or a backup's manifest; may be given several times",
      collectEnd,
    )
    .addHelpText("after", "\nExample: parley audit verify --head 812:9f86d081...")
    .action(async (options: object, command: Command) =>
      run(command, async (context) => (await import("../audit/verify.ts")).verify(context, options)),
    );
}

function addFilter(command: Command): Command {
  return command
    .option("--session <session>", "what belongs to this session alone; an id may be of one that is gone")
    .option("--action <action>", "this action alone, such as rule-created")
    .option("--actor <name>", "what this token did alone, by its name")
    .option("--since <span>", "what is not older, such as 30m, 12h or 7d", toSpanMs);
}
