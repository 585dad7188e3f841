import { type Command, Option } from "commander";
import { collectPair, toLimit } from "../option-value.ts";
import type { Run } from "./run.ts";
import { addSessionChanges } from "./session-changes.ts";

const REF = "SESSION is an id, the beginning or the end of one that is unique, or - or last for the newest.";

/** The commands that find, show and change sessions. */
export function addSessionCommands(program: Command, run: Run): void {
  const sessions = program
    .command("sessions")
    .description("find, show, change, move and delete sessions")
    .addHelpText("after", `\n${REF}`);
  addFinding(sessions, run);
  addSessionChanges(sessions, run);
  addMoving(sessions, run);
}

function addFinding(sessions: Command, run: Run): void {
  sessions
    .command("list")
    .description("list the sessions, the newest first")
    .option("--limit <n>", "how many at most, 0 for all (50)", toLimit)
    .option("--query <words>", "with these words in the title; each may be the beginning of one")
    .option("--label <name=value>", "with this label; may be given several times", collectPair)
    .addOption(new Option("--state <state>", "what it is doing").choices(["idle", "running", "waiting"]))
    .option("--starred", "starred ones")
    .option("--no-starred", "ones that are not starred")
    .option("--profile <name>", "of this profile")
    .option("--workspace <path>", "of this folder")
    .option("--children <session>", "started by agents of this session, instead of by people")
    .addOption(new Option("--order <order>", "in which order").choices(["newest", "oldest", "changed", "title"]))
    .addHelpText("after", "\nExample: parley sessions list --starred --label team=core --order changed")
    .action(async (options: object, command: Command) =>
      run(command, async (context) => (await import("../sessions/list.ts")).listSessions(context, options)),
    );
  sessions
    .command("search <words...>")
    .description("find messages by their words, the newest first")
    .option("--session <session>", "in this session alone")
    .addOption(new Option("--role <role>", "of this role alone").choices(["user", "assistant", "system", "tool"]))
    .option("--limit <n>", "how many at most, 0 for all (20)", toLimit)
    .addHelpText(
      "after",
      `\n"Words in quotes" must follow one another; a word that ends in * stands for all that begin so.
Example: parley sessions search '"disk full"' ballast*`,
    )
    .action(async (words: string[], options: object, command: Command) =>
      run(command, async (context) => (await import("../sessions/search.ts")).searchSessions(context, words, options)),
    );
  sessions
    .command("show <session>")
    .description("show a session and its messages")
    .option("--ids", "with the id of each message, for fork and rewind")
    .addHelpText("after", "\nExample: parley sessions show last")
    .action(async (session: string, options: object, command: Command) =>
      run(command, async (context) => (await import("../sessions/show.ts")).showSession(context, session, options)),
    );
  sessions
    .command("context <session>")
    .description("show what the model of a session would be sent next")
    .option("--limit <n>", "how many of the newest messages at most, 0 for all (20)", toLimit)
    .addHelpText("after", "\nExample: parley sessions context last")
    .action(async (session: string, options: object, command: Command) =>
      run(command, async (context) => (await import("../sessions/context.ts")).showContext(context, session, options)),
    );
}

function addMoving(sessions: Command, run: Run): void {
  sessions
    .command("export [sessions...]")
    .description("write sessions as JSON lines, all of them unless some are named")
    .option("-o, --output <file>", "into a file, for you alone to read, instead of stdout")
    .option("--blobs <folder>", "and their pictures and files into this folder")
    .addHelpText("after", "\nExample: parley sessions export -o sessions.jsonl --blobs sessions-blobs")
    .action(async (ids: string[], options: object, command: Command) =>
      run(command, async (context) => (await import("../sessions/export.ts")).exportSessions(context, ids, options)),
    );
  sessions
    .command("import <file>")
    .description("make the sessions of an export, all of them or none; - reads stdin")
    .option("--blobs <folder>", "with the pictures and files that the export put into this folder")
    .addHelpText("after", "\nAn id that is taken here gets a new one.\nExample: parley sessions import sessions.jsonl")
    .action(async (file: string, options: object, command: Command) =>
      run(command, async (context) => (await import("../sessions/import.ts")).importSessions(context, file, options)),
    );
  sessions
    .command("delete <sessions...>")
    .description("delete sessions with everything in them")
    .addHelpText(
      "after",
      "\nExample: parley sessions list --query tmp --json | jq -r .id | xargs parley sessions delete",
    )
    .action(async (ids: string[], _options, command: Command) =>
      run(command, async (context) => (await import("../sessions/delete.ts")).deleteSessions(context, ids)),
    );
}
