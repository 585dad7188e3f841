import { Command, CommanderError } from "commander";
import { ApprovalMode } from "../../client/client.ts";
import { type ChatCommand, list } from "./command.ts";
import type { Chat, Room } from "./state.ts";
import type { Context } from "../context.ts";
import { UsageError } from "../failure.ts";
import { MODE_WORDS, type ModeWord } from "../permissions/names.ts";
import { MODE_MEANINGS, modeOf, modeText, modeWord } from "../permissions/words.ts";
import { addRequestCommands } from "../program/requests.ts";
import { typedWords } from "./typed-words.ts";

/** The same words as `parley requests` takes; alone, what is open. */
async function requests(chat: Chat, argument: string): Promise<void> {
  const words = typedWords(argument);
  if (words[0] === "watch" || words[0] === "ask")
    throw new UsageError(`parley requests ${words[0]} is for another terminal`);
  const written: string[] = [];
  const context: Context = {
    ...chat.context,
    out: { ...chat.context.out, write: (text) => void written.push(text) },
    note: (text) => void written.push(`${text}\n`),
    client: async () => chat.client,
    close: () => undefined,
  };
  const program = new Command("parley").exitOverride().configureOutput({
    writeOut: (text) => void written.push(text),
    writeErr: () => undefined,
  });
  addRequestCommands(program, async (_command, work) => void (await work(context)));
  try {
    await program.parseAsync(["requests", ...(words.length === 0 ? ["list"] : words)], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Help ends so too, and is no error.
    if (error.exitCode !== 0) throw new UsageError(error.message.replace(/^error: /, ""));
  }
  const lines = written.join("").trimEnd().split("\n");
  list(chat, lines.join("") === "" ? [chat.context.out.style.dim("nobody asks anything")] : lines);
}

async function mode(chat: Chat, argument: string): Promise<void> {
  const word = MODE_WORDS.find((one) => one === argument);
  if (argument !== "" && word === undefined)
    throw new UsageError(`there is no mode ${argument}; take one of ${MODE_WORDS.join(", ")}`);
  const { room } = chat;
  if (room === undefined) nextMode(chat, word);
  else await roomMode(chat, room, word);
}

function nextMode(chat: Chat, word: ModeWord | undefined): void {
  if (word !== undefined) chat.next = { ...chat.next, approvalMode: modeOf(word) };
  const { approvalMode } = chat.next;
  const { dim } = chat.context.out.style;
  const text = approvalMode === ApprovalMode.UNSPECIFIED ? "the engine's own" : modeText(approvalMode);
  list(chat, [dim(`the mode of the next session is ${text}`)]);
}

async function roomMode(chat: Chat, { sessionId, facts }: Room, word: ModeWord | undefined): Promise<void> {
  const before = facts.mode;
  const { session } =
    word === undefined
      ? await chat.client.sessions.getSession({ sessionId })
      : await chat.client.permissions.setApprovalMode({ sessionId, mode: modeOf(word) });
  // A change is told to a human by its event, whoever made it.
  const isTold = chat.isInteractive && word !== undefined && session?.approvalMode !== before;
  if (session !== undefined && !isTold)
    list(chat, [chat.context.out.style.dim(`the mode is ${modeWord(session.approvalMode)}`)]);
}

export const REQUEST_COMMANDS: readonly ChatCommand[] = [
  {
    name: "/requests",
    argument: "[show|answer|dismiss ...]",
    hint: "what waits for an answer, in the words of parley requests",
    run: requests,
    choices: () =>
      ["list", "show", "answer", "dismiss"].map((text) => ({ text, hint: `parley requests ${text} --help` })),
  },
  {
    name: "/mode",
    argument: "[MODE]",
    hint: "how much may be done without asking",
    run: mode,
    choices: () => MODE_WORDS.map((text) => ({ text, hint: MODE_MEANINGS[text] })),
  },
];
