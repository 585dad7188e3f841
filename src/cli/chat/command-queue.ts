import { randomUUID } from "node:crypto";
import { Framing, QueuedKind, type QueuedMessage } from "../../client/client.ts";
import { type ChatCommand, list, needed, roomOf, toNumber } from "./command.ts";
import { textPart } from "./say.ts";
import type { Chat } from "./state.ts";
import { UsageError } from "../failure.ts";
import { shorten } from "../terminal/width.ts";

async function steer(chat: Chat, text: string, framing: Framing): Promise<void> {
  const { sessionId } = roomOf(chat);
  const request = { sessionId, idempotencyKey: randomUUID(), parts: [textPart(text)], framing };
  await chat.client.messages.steer(request, { signal: chat.leaving.signal });
}

async function unqueue(chat: Chat, argument: string): Promise<void> {
  const { sessionId, facts } = roomOf(chat);
  const { queue } = facts;
  if (queue.length === 0) throw new UsageError("nothing waits");
  const chosen = argument === "all" ? queue : [queue[toNumber(argument || "1", queue.length, "/queue") - 1]];
  for (const message of chosen) {
    if (message === undefined) continue;
    await chat.client.messages.removeQueued({ sessionId, queuedId: message.id }, { signal: chat.leaving.signal });
    chat.page.line("note", chat.context.out.style.dim(`taken out: ${waitingLine(chat, message)}`));
  }
}

function showQueue(chat: Chat): void {
  const { queue } = roomOf(chat).facts;
  const { dim } = chat.context.out.style;
  const lines = queue.map((message, index) => dim(`${index + 1}  ${waitingLine(chat, message)}`));
  list(chat, lines.length === 0 ? [dim("nothing waits")] : lines);
}

/** One message that waits, on one line. */
export function waitingLine({ context }: Chat, { kind, preview }: QueuedMessage): string {
  const { out } = context;
  const when = kind === QueuedKind.STEER ? "to this answer" : "after it";
  return shorten(`${when}: ${out.foreignLine(preview)}`, Math.max(20, out.columns - 8));
}

export const QUEUE_COMMANDS: readonly ChatCommand[] = [
  {
    name: "/steer",
    argument: "TEXT",
    hint: "say something to the answer that is coming",
    run: async (chat, text) => steer(chat, needed(text, "/steer TEXT"), Framing.PLAIN),
  },
  {
    name: "/instead",
    argument: "TEXT",
    hint: "have it drop what it does and do this",
    run: async (chat, text) => steer(chat, needed(text, "/instead TEXT"), Framing.REPLACEMENT),
  },
  {
    name: "/follow-up",
    argument: "TEXT",
    hint: "say something after this answer; so does plain text",
    async run(chat, text) {
      const parts = [textPart(needed(text, "/follow-up TEXT"))];
      const request = { sessionId: roomOf(chat).sessionId, idempotencyKey: randomUUID(), parts };
      await chat.client.messages.followUp(request, { signal: chat.leaving.signal });
    },
  },
  { name: "/queue", argument: "", hint: "what waits to be said", run: showQueue },
  { name: "/unqueue", argument: "[N|all]", hint: "take one of those out, the first unless told", run: unqueue },
  {
    name: "/cancel",
    argument: "",
    hint: "stop the answer; so does Ctrl-C",
    async run(chat) {
      await chat.client.messages.cancelTurn({ sessionId: roomOf(chat).sessionId }, { signal: chat.leaving.signal });
    },
  },
];
