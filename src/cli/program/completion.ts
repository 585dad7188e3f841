import { Argument, type Command } from "commander";
import { SHELLS } from "../completion.ts";
import type { Run } from "./run.ts";

const INSTALL = `
  bash   eval "$(parley completion bash)" in ~/.bashrc
  zsh    eval "$(parley completion zsh)" in ~/.zshrc, after compinit
  fish   parley completion fish > ~/.config/fish/completions/parley.fish`;

/** What makes a shell complete parley's commands with Tab. */
export function addCompletion(program: Command, run: Run): void {
  program
    .command("completion")
    .description("print what makes a shell complete commands, options, sessions and profiles with Tab")
    .addArgument(new Argument("<shell>", "which shell").choices(SHELLS))
    .addHelpText("after", INSTALL)
    .action(async (shell: (typeof SHELLS)[number], _options, command: Command) =>
      run(command, async (context) => (await import("../completion.ts")).completion(context, shell)),
    );
  program
    .command("complete [words...]", { hidden: true })
    .action(async (words: string[], _options, command: Command) =>
      run(command, async (context) => (await import("../complete.ts")).complete(context, program, words)),
    );
}
