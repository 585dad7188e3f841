import type { Command } from "commander";
import { toLimit } from "./option-value.ts";
import type { Run } from "./program-run.ts";

/** The commands that find, show and change sessions. */
export function addSessionCommands(program: Command, run: Run): void {
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
