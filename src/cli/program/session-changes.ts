import { type Command, Option } from "commander";
import type { Run } from "./run.ts";

const load = async () => import("../sessions/change.ts");

/** The commands that change sessions. */
export function addSessionChanges(sessions: Command, run: Run): void {
  sessions
    .command("star <sessions...>")
    .description("star sessions")
    .addHelpText("after", "\nExample: parley sessions star last")
    .action(async (ids: string[], _options, command: Command) =>
      run(command, async (context) => (await load()).starSessions(context, ids, true)),
    );
  sessions
    .command("unstar <sessions...>")
    .description("take the stars of sessions away")
    .addHelpText("after", "\nExample: parley sessions unstar last")
    .action(async (ids: string[], _options, command: Command) =>
      run(command, async (context) => (await load()).starSessions(context, ids, false)),
    );
  sessions
    .command("rename <session> <title...>")
    .description("name a session; an empty title takes the name away")
    .addHelpText("after", "\nExample: parley sessions rename last the one about disks")
    .action(async (session: string, title: string[], _options, command: Command) =>
      run(command, async (context) => (await load()).renameSession(context, session, title)),
    );
  sessions
    .command("label <session> <labels...>")
    .description("set labels of a session, and leave its others")
    .addHelpText("after", "\nExample: parley sessions label last team=core urgent")
    .action(async (session: string, labels: string[], _options, command: Command) =>
      run(command, async (context) => (await load()).labelSession(context, session, labels)),
    );
  sessions
    .command("unlabel <session> <names...>")
    .description("take labels of a session away")
    .addHelpText("after", "\nExample: parley sessions unlabel last urgent")
    .action(async (session: string, names: string[], _options, command: Command) =>
      run(command, async (context) => (await load()).unlabelSession(context, session, names)),
    );
  addHistoryChanges(sessions, run);
}

function addHistoryChanges(sessions: Command, run: Run): void {
  sessions
    .command("fork <session>")
    .description("make a new session with what was said in another, and print its id")
    .option("--before <message>", "with what was said before this message alone")
    .option("--title <title>", "its title; the other's unless given")
    .addHelpText("after", "\nExample: parley chat --session $(parley sessions fork last)")
    .action(async (session: string, options: object, command: Command) =>
      run(command, async (context) => (await load()).forkSession(context, session, options)),
    );
  sessions
    .command("rewind <session> <message>")
    .description("remove a message and all after it, for ever")
    .addHelpText(
      "after",
      "\n`parley sessions show --ids` prints the ids.\nExample: parley sessions rewind last msg_1m7z...",
    )
    .action(async (session: string, message: string, _options, command: Command) =>
      run(command, async (context) => (await load()).rewindSession(context, session, message)),
    );
  sessions
    .command("revert <session> [turn]")
    .description("take back what the last turn, or another, did to files")
    .option("--yes", "do it; without it you are shown what would be done")
    .addOption(new Option("--list", "the newest turns that changed files, with their files").conflicts("yes"))
    .addHelpText(
      "after",
      "\nTURN is an id, or a number of --list.\nFiles that were changed since stay as they are. What commands did is not known, and stays.\nExample: parley sessions revert last --yes",
    )
    .action(async (session: string, turn: string | undefined, options: object, command: Command) =>
      run(command, async (context) =>
        (await import("../sessions/revert.ts")).revertSession(context, session, turn, options),
      ),
    );
  sessions
    .command("clear <session>")
    .description("remove all that was said in a session, for ever; its settings stay")
    .option("--yes", "do it")
    .addHelpText("after", "\nExample: parley sessions clear last --yes")
    .action(async (session: string, options: object, command: Command) =>
      run(command, async (context) => (await load()).clearSession(context, session, options)),
    );
}
