import { randomUUID } from "node:crypto";
import { type Message, Role } from "../../client/client.ts";
import { wholeMessage } from "../../client/transcript.ts";
import { attachedLines } from "./attached.ts";
import { type ChatCommand, list, roomOf, toNumber } from "./command.ts";
import { enterRoom } from "./room.ts";
import { REVERT_COMMAND } from "./command-revert.ts";
import { retry } from "./say.ts";
import type { Chat, Room } from "./state.ts";
import { attachedTo } from "../attach-file.ts";
import { UsageError } from "../failure.ts";
import { shorten } from "../terminal/width.ts";

const SHOWN = 100;

/** The newest messages, the oldest first. */
async function readMessages({ client, leaving }: Chat, { sessionId }: Room): Promise<Message[]> {
  return (await client.sessions.listMessages({ sessionId, pageSize: SHOWN }, { signal: leaving.signal })).messages;
}

const isSaid = ({ role }: Message): boolean => role === Role.USER;

/** What a human said, the newest first: number 1 is the last. */
function saidBefore(messages: readonly Message[]): Message[] {
  return messages.filter(isSaid).toReversed();
}

/** A message by its id, or by its number counted from the last thing that was said. */
function chosenMessage(messages: readonly Message[], argument: string): Message {
  const byId = messages.find(({ id }) => id === argument);
  if (byId !== undefined) return byId;
  if (argument.startsWith("msg_"))
    throw new UsageError(`${argument} is not among the last ${SHOWN} messages; see /history`);
  const said = saidBefore(messages);
  const message = said[toNumber(argument, said.length, "/history") - 1];
  if (message === undefined) throw new UsageError("there is no such message; see /history");
  return message;
}

async function showHistory(chat: Chat): Promise<void> {
  const messages = await readMessages(chat, roomOf(chat));
  const { style, columns, foreignLine } = chat.context.out;
  let number = messages.filter(isSaid).length;
  const lines = messages.flatMap((message) => {
    const line = shorten(foreignLine(wholeMessage(message).text.trim()), Math.max(20, columns - 8));
    if (isSaid(message)) return [`${String(number--).padStart(3)}  ${style.cyan(line)}`];
    return line === "" ? [] : [`     ${style.dim(line)}`];
  });
  list(chat, lines.length === 0 ? [style.dim("nothing has been said yet")] : lines);
}

/** A message comes back to the prompt with what was attached to it, to be changed and said again. */
function sayAgain(chat: Chat, message: Message): void {
  chat.suggest(wholeMessage(message).text);
  chat.attached = attachedTo(message);
  if (chat.attached.length > 0) list(chat, attachedLines(chat));
}

async function rewind(chat: Chat, argument: string): Promise<void> {
  const room = roomOf(chat);
  const { sessionId } = room;
  const message = chosenMessage(await readMessages(chat, room), argument || "1");
  await chat.client.sessions.rewindSession({ sessionId, messageId: message.id }, { signal: chat.leaving.signal });
  if (isSaid(message)) sayAgain(chat, message);
}

async function fork(chat: Chat, argument: string): Promise<void> {
  const room = roomOf(chat);
  const before = argument === "" ? undefined : chosenMessage(await readMessages(chat, room), argument);
  const request = { sessionId: room.sessionId, idempotencyKey: randomUUID(), beforeMessageId: before?.id ?? "" };
  const { session } = await chat.client.sessions.forkSession(request, { signal: chat.leaving.signal });
  if (session === undefined) throw new Error("the engine made no session");
  await enterRoom(chat, session.id);
  chat.context.note(`this is the fork; the other is ${room.sessionId}`);
  if (before !== undefined && isSaid(before)) sayAgain(chat, before);
}

async function clear(chat: Chat, argument: string): Promise<void> {
  const { sessionId } = roomOf(chat);
  if (argument !== "yes")
    throw new UsageError(
      "this removes all that was said, for ever: /clear yes does it; /new begins a new session instead",
    );
  await chat.client.sessions.clearHistory({ sessionId }, { signal: chat.leaving.signal });
}

export const HISTORY_COMMANDS: readonly ChatCommand[] = [
  { name: "/history", argument: "", hint: "what was said, with numbers for /rewind and /fork", run: showHistory },
  {
    name: "/rewind",
    argument: "[N|MESSAGE]",
    hint: "take back what was said last, or N before, and all after it",
    run: rewind,
  },
  REVERT_COMMAND,
  {
    name: "/fork",
    argument: "[N|MESSAGE]",
    hint: "go on in a copy, from here or from before a message",
    isMove: true,
    run: fork,
  },
  {
    name: "/retry",
    argument: "",
    hint: "try the last answer again, from where it stopped",
    run: async (chat) => retry(chat, roomOf(chat)),
  },
  { name: "/clear", argument: "yes", hint: "remove all that was said in this session", run: clear },
];
