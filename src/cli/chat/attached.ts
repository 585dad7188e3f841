import { type ChatCommand, list } from "./command.ts";
import type { Chat } from "./state.ts";
import { attachAs, attachFile } from "../attach-file.ts";
import { formatBytes } from "../format.ts";

async function attach(chat: Chat, argument: string): Promise<void> {
  const { dim } = chat.context.out.style;
  if (argument === "none") chat.attached = [];
  else if (argument !== "") {
    const file = await attachFile(chat.client, argument, attachAs(argument), chat.leaving.signal);
    chat.attached = [...(chat.attached ?? []), file];
  }
  const lines = (chat.attached ?? []).map(({ name, sizeBytes }) =>
    chat.context.out.foreignLine(`+ ${name} (${formatBytes(BigInt(sizeBytes))})`),
  );
  const rest = lines.length === 0 ? "nothing is attached" : "goes with what you say next; /attach none leaves it out";
  list(chat, [...lines, rest].map(dim));
}

export const ATTACH_COMMAND: ChatCommand = {
  name: "/attach",
  argument: "[PATH|none]",
  hint: "send a picture or a file with what you say next",
  // What was typed before is said without it.
  isMove: true,
  run: attach,
};
