import { type ChatCommand, list, parseCommand } from "./command.ts";
import { ATTACH_COMMAND } from "./attached.ts";
import { HISTORY_COMMANDS } from "./command-history.ts";
import { QUEUE_COMMANDS } from "./command-queue.ts";
import { REQUEST_COMMANDS } from "./command-requests.ts";
import { SESSION_COMMANDS } from "./command-session.ts";
import { say } from "./say.ts";
import type { Chat } from "./state.ts";
import { UsageError } from "../failure.ts";
import type { Candidate } from "../terminal/prompt.ts";
import { wrapWords } from "../terminal/wrap-words.ts";

const COMMANDS: readonly ChatCommand[] = [
  ...QUEUE_COMMANDS,
  ...HISTORY_COMMANDS,
  ...SESSION_COMMANDS,
  ...REQUEST_COMMANDS,
  ATTACH_COMMAND,
  { name: "/help", argument: "", hint: "this list", run: showHelp },
  { name: "/quit", argument: "", hint: "leave; so do Ctrl-D and a second Ctrl-C", run: (chat) => chat.stop() },
];

const KEYS = `Enter sends; Alt-Enter or a \\ at the end begins another line; a paste is never sent by itself.
Tab completes; Up and Down bring back what was typed, Ctrl-R finds it; what begins with a space is not kept.
Text that is sent while an answer comes is said after it.`;

/** Does what one line says: a command, or something to say. */
export async function takeLine(chat: Chat, line: string): Promise<void> {
  const parsed = parseCommand(line);
  if (parsed === undefined) return say(chat, line.trimEnd());
  const command = COMMANDS.find(({ name }) => name === parsed.name);
  if (command === undefined) {
    const near = COMMANDS.find(({ name }) => name.startsWith(parsed.name.slice(0, 3)));
    const hint = near === undefined ? "/help lists them" : `did you mean ${near.name}? /help lists them`;
    throw new UsageError(`there is no ${parsed.name}; ${hint}. A space before it says it to the model`);
  }
  await command.run(chat, parsed.argument);
}

/** Whether a line can be done before what was typed before it: a command about the session that one is in. */
export function mayOvertake(line: string): boolean {
  const parsed = parseCommand(line);
  return parsed !== undefined && COMMANDS.find(({ name }) => name === parsed.name)?.isMove !== true;
}

function showHelp(chat: Chat): void {
  const { style, isTerminal, columns } = chat.context.out;
  const { dim } = style;
  const width = Math.max(...COMMANDS.map((command) => usage(command).length));
  const lines = COMMANDS.flatMap((command) => {
    const line = `${usage(command).padEnd(width)}  ${dim(command.hint)}`;
    return isTerminal ? wrapWords(line, columns, { hang: width + 2 }) : [line];
  });
  list(chat, [...lines, ...KEYS.split("\n").map(dim)]);
}

function usage({ name, argument }: ChatCommand): string {
  return `${name} ${argument}`.trimEnd();
}

/** What Tab chooses from. */
export function completeLine(chat: Chat, line: string): Candidate[] {
  if (!/^\/[a-z-]*(?: \S*)?$/.test(line)) return [];
  const [name = "", argument] = line.split(" ");
  if (argument === undefined) {
    return COMMANDS.filter((command) => command.name.startsWith(name)).map((command) => ({
      text: command.argument === "" ? command.name : `${command.name} `,
      label: usage(command),
      hint: command.hint,
    }));
  }
  const command = COMMANDS.find((one) => one.name === name);
  return (command?.choices?.(chat) ?? [])
    .filter(({ text }) => text.startsWith(argument))
    .map(({ text, hint }) => ({ text: `${name} ${text}`, label: text, hint }));
}
