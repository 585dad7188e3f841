import type { Command } from "commander";
import type { Run } from "./run.ts";

/** The command that shows what sessions can be made by. */
export function addAgentCommands(program: Command, run: Run): void {
  program
    .command("agents")
    .description("list the agent definitions that sessions can be made by, and what is wrong in them")
    .option("--workspace <path>", "with those of this folder, where it is trusted")
    .addHelpText(
      "after",
      "\nEnds with 1 where one cannot be used.\nExample: parley run --agent reviewer 'look at the last commit'",
    )
    .action(async (options: { workspace?: string }, command: Command) =>
      run(command, async (context) => (await import("../agents.ts")).listAgents(context, options)),
    );
}
