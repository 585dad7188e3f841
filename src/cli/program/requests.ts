import { type Command, Option } from "commander";
import { collect, collectPair, toLimit, toSpanMs } from "../option-value.ts";
import { SCOPE_WORDS } from "../permissions/names.ts";
import type { Run } from "./run.ts";

const STATES = ["open", "answered", "dismissed", "cancelled", "expired", "all"];
const PRIORITIES = ["low", "normal", "high", "urgent"];

const ANSWER_HELP = `
The first answer counts.
Examples:
  parley requests answer 7m2q yes
  parley requests answer 7m2q --approve --scope session
  parley requests answer 7m2q --deny --reason 'keep that file'`;

const REF = "REQUEST is an id, the beginning or the end of one that is open, or - or last for the newest.";

/** The commands for what waits for a human. */
export function addRequestCommands(program: Command, run: Run): void {
  const requests = program
    .command("requests")
    .description("what waits for a human: list, show, answer and ask")
    .addHelpText("after", `\n${REF}`);
  addLooking(requests, run);
  addAnswering(requests, run);
  addAsking(requests, run);
}

function addLooking(requests: Command, run: Run): void {
  requests
    .command("list")
    .description("list what is open, the most urgent first, then the oldest")
    .addOption(new Option("--state <state>", "other than open ones").choices(STATES))
    .option("--session <session>", "of this session alone")
    .option("--limit <n>", "how many at most, 0 for all (50)", toLimit)
    .addHelpText("after", "\nExample: parley requests list")
    .action(async (options: object, command: Command) =>
      run(command, async (context) => (await import("../requests/list.ts")).listRequests(context, options)),
    );
  requests
    .command("show <request>")
    .description("show all of a request, and how to answer it")
    .addHelpText("after", "\nExample: parley requests show 7m2q")
    .action(async (request: string, _options, command: Command) =>
      run(command, async (context) => (await import("../requests/show.ts")).showRequest(context, request)),
    );
  requests
    .command("watch")
    .description("show what is asked and what becomes of it, live; goes on over restarts of the engine")
    .addHelpText("after", "\nExample: parley requests watch")
    .action(async (_options, command: Command) =>
      run(command, async (context) => (await import("../requests/watch.ts")).watchRequests(context)),
    );
}

function addAnswering(requests: Command, run: Run): void {
  requests
    .command("answer <request> [words...]")
    .description("answer with an option, by its id or label, with words or a form; or let a call run, or not")
    .option("--form <json>", "the filled-in form")
    .option("--approve", "let the call run")
    .addOption(new Option("--deny", "do not let it run").conflicts("approve"))
    .addOption(
      new Option("--scope <scope>", "how far that reaches: more than once makes a rule (once)").choices(SCOPE_WORDS),
    )
    .option("--rule <rule>", "the rule to make, such as 'shell git status'; else the narrowest that is suggested")
    .option("--arguments <json>", "what is to run instead")
    .option("--reason <text>", "why; the model is told")
    .addHelpText("after", ANSWER_HELP)
    .action(async (request: string, words: string[], options: object, command: Command) =>
      run(command, async (context) =>
        (await import("../requests/answer.ts")).answerRequest(context, request, words, options),
      ),
    );
  requests
    .command("dismiss <request>")
    .description("do not answer; whoever asked is told")
    .option("--reason <text>", "why")
    .addHelpText("after", "\nExample: parley requests dismiss 7m2q --reason 'ask Ada'")
    .action(async (request: string, options: object, command: Command) =>
      run(command, async (context) =>
        (await import("../requests/answer.ts")).dismissRequest(context, request, options),
      ),
    );
}

function addAsking(requests: Command, run: Run): void {
  requests
    .command("ask <question>")
    .description("ask a human, wait, and print the answer; Ctrl-C takes the question back")
    .option("--body <markdown>", "more about it")
    .option("--option <id=label>", "an answer to choose from; may be given several times", collectPair)
    .option("--form <json>", "JSON Schema of a form to fill in")
    .option("--session <session>", "of this session")
    .addOption(new Option("--priority <priority>", "how much it matters (normal)").choices(PRIORITIES))
    .option("--tag <tag>", "may be given several times", collect)
    .option("--lifetime <span>", "how long it waits, such as 45m, 12h or 30d (for ever)", toSpanMs)
    .option("--default <answer>", "what is answered when its time is over: the id of an option, or text")
    .option("--no-wait", "print the request's id and end")
    .addHelpText(
      "after",
      "\nExample: parley requests ask 'deploy?' --option yes --option no --lifetime 1h --default no",
    )
    .action(async (question: string, options: { wait: boolean }, command: Command) =>
      run(command, async (context) => (await import("../requests/ask.ts")).ask(context, question, options)),
    );
}
