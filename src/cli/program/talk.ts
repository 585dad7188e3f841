import { type Command, Option } from "commander";
import { collect, toSeq } from "../option-value.ts";
import { MODE_WORDS } from "../permissions/names.ts";
import type { Run } from "./run.ts";

/** The commands that talk to a model, or look on. */
export function addTalkCommands(program: Command, run: Run): void {
  program
    .command("chat")
    .description("talk to a model; Ctrl-C stops its answer, a second one leaves")
    .addOption(new Option("--session <id>", "go on with this session").conflicts("continue"))
    .option("--continue", "go on with the newest session")
    .addOption(new Option("--profile <name>", "the profile of a new session").conflicts(["session", "continue"]))
    .addOption(
      new Option("--agent <name>", "make the new session by this definition").conflicts(["session", "continue"]),
    )
    .option("--model <model>", "a model other than the profile's")
    .addOption(
      new Option("--workspace <folder>", "the folder that a new session may touch (a new one)").conflicts([
        "session",
        "continue",
      ]),
    )
    .addOption(
      new Option("--mode <mode>", "how much a new session may do without asking")
        .choices(MODE_WORDS)
        .conflicts(["session", "continue"]),
    )
    .option("--plain", "show answers as they are, and not as Markdown")
    .addHelpText(
      "after",
      "\nSESSION is an id, a unique part of one, or - or last for the newest.\nExample: parley chat --session last",
    )
    .action(async (options: object, command: Command) =>
      run(command, async (context) => (await import("../chat/chat.ts")).chat(context, options)),
    );
  program
    .command("run [text]")
    .description("run one turn and print the answer; without text, or with -, reads stdin")
    .option("--session <id>", "in this session instead of a new one")
    .addOption(new Option("--profile <name>", "the profile of a new session").conflicts("session"))
    .addOption(new Option("--agent <name>", "make the new session by this definition").conflicts("session"))
    .option("--model <model>", "a model other than the profile's")
    .addOption(new Option("--system <text>", "instructions of a new session").conflicts("session"))
    .addOption(
      new Option("--workspace <folder>", "the folder that a new session may touch (a new one)").conflicts("session"),
    )
    .addOption(
      new Option("--approve <what>", "of a new session: none = never ask, do what is harmless; edits; all")
        .choices(["none", "edits", "all"])
        .conflicts("session"),
    )
    .addOption(
      new Option(
        "--mode <mode>",
        "how much a new session may do without asking, in the words of `parley permissions mode`",
      )
        .choices(MODE_WORDS)
        .conflicts(["session", "approve"]),
    )
    .option("--image <file>", "a picture to go with the text; may be given several times", collect)
    .option("--file <file>", "a file to go with the text; may be given several times", collect)
    .addHelpText(
      "after",
      "\nWhat it asks is asked at the terminal; without one, stderr says how to answer from elsewhere.\nCtrl-C or SIGTERM cancels the turn, a second one leaves at once.\nExample: git diff | parley run --system 'review this' -",
    )
    .action(async (text: string | undefined, options: object, command: Command) =>
      run(command, async (context) => (await import("../run/run.ts")).run(context, text, options)),
    );
  program
    .command("watch <session>")
    .description("show a session, live; goes on over restarts of the engine")
    .option("--after-seq <n>", "begin after this event instead of with the newest messages", toSeq)
    .option("--plain", "show answers as they are, and not as Markdown")
    .addHelpText("after", "\nExample: parley watch last")
    .action(async (sessionId: string, options: object, command: Command) =>
      run(command, async (context) => (await import("../watch.ts")).watch(context, sessionId, options)),
    );
}
