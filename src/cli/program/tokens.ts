import { type Command, Option } from "commander";
import { toSpanMs } from "../option-value.ts";
import type { Run } from "./run.ts";

/** The commands that give out tokens and take them back. */
export function addTokenCommands(program: Command, run: Run): void {
  const tokens = program.command("tokens").description("give out tokens that open the engine, list and revoke them");
  tokens
    .command("create <name>")
    .description("make a token and print what opens the engine, which is shown only now")
    .addOption(
      new Option(
        "--scope <scope>",
        "read: look at everything; operate: all but tokens and the engine's own settings; admin: all",
      )
        .choices(["read", "operate", "admin"])
        .makeOptionMandatory(),
    )
    .option("--lifetime <span>", "how long it is good for, such as 45m, 12h, 30d or 8w (until it is revoked)", toSpanMs)
    .addHelpText("after", "\nExample: parley tokens create ci --scope operate --lifetime 30d")
    .action(
      async (name: string, options: { scope: "read" | "operate" | "admin"; lifetime?: number }, command: Command) =>
        run(command, async (context) => (await import("../tokens/create.ts")).createToken(context, name, options)),
    );
  tokens
    .command("list")
    .description("list the tokens that were given out, the newest first")
    .addHelpText("after", "\nExample: parley tokens list")
    .action(async (_options, command: Command) =>
      run(command, async (context) => (await import("../tokens/list.ts")).listTokens(context)),
    );
  tokens
    .command("revoke <tokens...>")
    .description("take tokens back, by id or name: what is open with them ends at once")
    .addHelpText("after", "\nExample: parley tokens revoke ci")
    .action(async (refs: string[], _options, command: Command) =>
      run(command, async (context) => (await import("../tokens/revoke.ts")).revokeTokens(context, refs)),
    );
}
