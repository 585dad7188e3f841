import { Argument, type Command } from "commander";
import { toSpanMs } from "../option-value.ts";
import type { EffectWord } from "../permissions/rules.ts";
import { MODE_WORDS, type ModeWord } from "../permissions/names.ts";
import type { Run } from "./run.ts";

const CHECK_HELP = `
ARGUMENTS are JSON, or for shell the command. A call is found by its id alone in the newest sessions.
Examples:
  parley permissions check last shell 'git push --force'
  parley permissions check call_1m7z933t8b5f4wxrf0bzgzn2b`;

const PLACES = "Without --session and --workspace it is for every session.";

/** The commands for what agents may do without asking. */
export function addPermissionCommands(program: Command, run: Run): void {
  const permissions = program
    .command("permissions")
    .description("what agents may do without asking: the mode of a session, and rules");
  addMode(permissions, run);
  addRules(permissions, run);
  permissions
    .command("check <session> [tool] [arguments...]")
    .description("say what would become of a call and why; or of one that was made, by its id, what was decided")
    .addHelpText("after", CHECK_HELP)
    .action(async (session: string, tool: string | undefined, words: string[], _options, command: Command) =>
      run(command, async (context) =>
        (await import("../permissions/check.ts")).checkCall(context, session, tool, words.join(" ")),
      ),
    );
}

function addMode(permissions: Command, run: Run): void {
  permissions
    .command("mode <session>")
    .addArgument(new Argument("[mode]", "what to set").choices(MODE_WORDS))
    .description("show the mode of a session, or set it; in force for the next decision")
    .addHelpText("after", "\nExample: parley permissions mode last plan")
    .action(async (session: string, mode: ModeWord | undefined, _options, command: Command) =>
      run(command, async (context) => (await import("../permissions/mode.ts")).showOrSetMode(context, session, mode)),
    );
}

function addRules(permissions: Command, run: Run): void {
  permissions
    .command("rules")
    .description("list the rules, the newest first")
    .option("--session <session>", "those that reach this session alone")
    .addHelpText("after", "\nExample: parley permissions rules --session last")
    .action(async (options: object, command: Command) =>
      run(command, async (context) => (await import("../permissions/rules.ts")).listRules(context, options)),
    );
  for (const [effect, what] of [
    ["allow", "let these calls run unasked"],
    ["ask", "have a human asked about these calls"],
    ["deny", "forbid these calls, in every mode"],
  ] as const) {
    addRule(permissions, run, effect, what);
  }
  permissions
    .command("remove <rules...>")
    .description("take rules back, by id; in force for the next decision")
    .addHelpText("after", "\nExample: parley permissions remove rule_0k3v8t1zq")
    .action(async (ids: string[], _options, command: Command) =>
      run(command, async (context) => (await import("../permissions/rules.ts")).removeRules(context, ids)),
    );
}

function addRule(permissions: Command, run: Run, effect: EffectWord, what: string): void {
  permissions
    .command(`${effect} <tool> [pattern...]`)
    .description(`${what}: all of a tool, or those of a pattern`)
    .option("--session <session>", "in this session alone")
    .option("--workspace <folder>", "in sessions of this folder alone")
    .option("--lifetime <span>", "how long it holds, such as 45m, 12h or 30d (until it is removed)", toSpanMs)
    .addHelpText("after", `\n${PLACES}\nExample: parley permissions ${effect} shell 'git status'`)
    .action(async (tool: string, words: string[], options: object, command: Command) =>
      run(command, async (context) =>
        (await import("../permissions/rules.ts")).addRule(context, {
          ...options,
          effect,
          tool,
          pattern: words.join(" "),
        }),
      ),
    );
}
