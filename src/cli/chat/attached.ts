import { type ChatCommand, list } from "./command.ts";
import type { Chat } from "./state.ts";
import { attachAs, attachFile } from "../attach-file.ts";
import { formatBytes } from "../view/format.ts";

async function attach(chat: Chat, argument: string): Promise<void> {
  if (argument === "none") chat.attached = [];
  else if (argument !== "") {
    const file = await attachFile(chat.client, argument, attachAs(argument), chat.leaving.signal);
    chat.attached = [...(chat.attached ?? []), file];
  }
  list(chat, attachedLines(chat));
}

/** What goes with what is said next. */
export function attachedLines({ attached = [], context }: Chat): string[] {
  const lines = attached.map(({ name, sizeBytes }) => `+ ${name} (${formatBytes(BigInt(sizeBytes))})`);
  const rest = lines.length === 0 ? "nothing is attached" : "goes with what you say next; /attach none leaves it out";
  return [...lines, rest].map((line) => context.out.style.dim(context.out.foreignLine(line)));
}

export const ATTACH_COMMAND: ChatCommand = {
  name: "/attach",
  argument: "[PATH|none]",
  hint: "send a picture or a file with what you say next",
  // What was typed before is said without it.
  isMove: true,
  run: attach,
};
