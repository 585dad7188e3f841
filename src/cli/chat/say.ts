import { randomUUID } from "node:crypto";
import { reasonOf, type Turn } from "../../client/client.ts";
import { enterNewRoom } from "./room.ts";
import type { Chat, Room } from "./state.ts";
import type { AttachedFile } from "../attach-file.ts";
import { checkSaidBytes } from "../view/said-text.ts";
import { tryAgain } from "../try-again.ts";

export const textPart = (text: string) => ({ content: { case: "text" as const, value: text } });

type Parts = AttachedFile["part"][];

/** Says something to the model: as a turn, or as one to follow where another runs. From a pipe: and waits for its end. */
export async function say(chat: Chat, text: string): Promise<void> {
  checkSaidBytes(Buffer.byteLength(text), "put it into a file: /attach FILE, and then what to do with it");
  const room = chat.room ?? (await openRoom(chat));
  const { attached = [] } = chat;
  const parts = [textPart(text), ...attached.map(({ part }) => part)];
  // Now: what is typed meanwhile must not send it a second time.
  chat.attached = [];
  let turn: Turn | undefined;
  try {
    if (chat.isInteractive) await sayNow(chat, room, parts);
    else turn = await startWhenIdle(chat, room, parts);
  } catch (error) {
    chat.attached = [...attached, ...chat.attached];
    throw error;
  }
  if (turn !== undefined) await room.turns.whenEnded(turn.id, chat.leaving.signal);
}

/** Tries the last turn again, from where it stopped. */
export async function retry(chat: Chat, room: Room): Promise<void> {
  const turn = await startWhenIdle(chat, room, undefined);
  if (!chat.isInteractive) await room.turns.whenEnded(turn.id, chat.leaving.signal);
}

async function openRoom(chat: Chat): Promise<Room> {
  const { client, leaving, next } = chat;
  const request = { idempotencyKey: randomUUID(), ...next };
  const { session } = await tryAgain(
    () => client.sessions.createSession(request, { signal: leaving.signal }),
    leaving.signal,
  );
  if (session === undefined) throw new Error("the engine made no session");
  return enterNewRoom(chat, session);
}

/** What a human says while an answer comes is said after it: the engine keeps it, whoever leaves. */
async function sayNow(chat: Chat, room: Room, parts: Parts): Promise<void> {
  const { client, leaving } = chat;
  const { signal } = leaving;
  const request = { sessionId: room.sessionId, idempotencyKey: randomUUID(), parts };
  if (room.facts.runningTurnId === undefined) {
    try {
      await tryAgain(() => client.messages.startTurn({ ...request, model: turnModel(chat) }, { signal }), signal);
      return;
    } catch (error) {
      if (reasonOf(error)?.reason !== "SESSION_BUSY") throw error;
    }
  }
  await tryAgain(() => client.messages.followUp(request, { signal }), signal);
}

/** Somebody else's turn may run, or begin a moment before ours. Without parts: goes on with the last turn. */
async function startWhenIdle(chat: Chat, room: Room, parts: Parts | undefined): Promise<Turn> {
  const { client, leaving } = chat;
  const { signal } = leaving;
  const request = { sessionId: room.sessionId, idempotencyKey: randomUUID(), model: turnModel(chat) };
  for (;;) {
    if (room.turns.running !== undefined) await room.turns.whenEnded(room.turns.running, signal);
    try {
      const { turn } = await tryAgain(
        async () =>
          parts === undefined
            ? client.messages.retryTurn(request, { signal })
            : client.messages.startTurn({ ...request, parts }, { signal }),
        signal,
      );
      if (turn === undefined) throw new Error("the engine started no turn");
      return turn;
    } catch (error) {
      const reason = reasonOf(error);
      const busyWith = reason?.reason === "SESSION_BUSY" ? reason.metadata["turn_id"] : undefined;
      if (busyWith === undefined) throw error;
      await room.turns.whenEnded(busyWith, signal);
    }
  }
}

/** `--model` changes a session that was there for the turns of this chat alone; a new one has it already. */
function turnModel({ options }: Chat): string {
  return options.session === undefined && options.continue !== true ? "" : (options.model ?? "");
}
