import { reasonOf } from "../../client/client.ts";
import { type ChatCommand, list, roomOf } from "./command.ts";
import type { Chat } from "./state.ts";
import { UsageError } from "../failure.ts";
import {
  type ChangedTurn,
  changedTurnLines,
  chosenTurn,
  filesText,
  listChangedTurns,
} from "../sessions/changed-turns.ts";
import { askRevert, isReverted, revertLines } from "../sessions/revert-files.ts";

/** Lists the turns that changed files; shows what taking one back would do; and with a yes does it. */
async function revert(chat: Chat, argument: string): Promise<void> {
  const [, turn, yes] = /^(?<turn>\d{1,3}|turn_\w+)?(?:\s+(?<yes>yes))?$/.exec(argument) ?? [];
  if (argument !== "" && turn === undefined)
    throw new UsageError("/revert lists the turns that changed files, /revert N shows what taking one back would do");
  try {
    if (turn === undefined) list(chat, changedTurnLines(chat.context.out, await freshTurns(chat), Date.now()));
    else if (yes === undefined) await preview(chat, turn);
    else await takeBack(chat, turn);
  } catch (error) {
    throw chat.isInteractive && reasonOf(error)?.reason === "SESSION_BUSY" ? turnFirst(chat, error) : error;
  }
}

async function freshTurns(chat: Chat): Promise<readonly ChangedTurn[]> {
  const { sessionId } = roomOf(chat);
  const turns = await listChangedTurns(chat.client, sessionId, chat.leaving.signal);
  chat.changedTurns = { sessionId, turns };
  return turns;
}

/** A number is one of the list that was shown last: it means the same turn, whatever came since. */
function turnIdOf(chat: Chat, turn: string): Promise<string> {
  const { sessionId } = roomOf(chat);
  const known = chat.changedTurns?.sessionId === sessionId ? chat.changedTurns.turns : undefined;
  return chosenTurn(turn, async () => known ?? freshTurns(chat));
}

async function preview(chat: Chat, turn: string): Promise<void> {
  const { sessionId } = roomOf(chat);
  const turnId = await turnIdOf(chat, turn);
  const answer = await askRevert(chat.client, { sessionId, turnId, isDone: false }, chat.leaving.signal);
  list(chat, revertLines(chat.context.out, answer, false));
  if (!answer.files.some(isReverted)) return;
  const command = `/revert ${turn} yes`;
  if (!chat.isInteractive) return chat.context.note(`nothing is done yet; ${command} does it`);
  chat.suggest(command);
  chat.context.note("nothing is done yet; Enter does it, Ctrl-C leaves it");
}

async function takeBack(chat: Chat, turn: string): Promise<void> {
  const { sessionId } = roomOf(chat);
  const turnId = await turnIdOf(chat, turn);
  let hasMore = true;
  while (hasMore) {
    const answer = await askRevert(chat.client, { sessionId, turnId, isDone: true }, chat.leaving.signal);
    list(chat, revertLines(chat.context.out, answer, true));
    ({ hasMore } = answer);
  }
  // The numbers are others now.
  chat.changedTurns = undefined;
}

/** What a human has to do with the turn that runs, before what one did can be taken back. */
function turnFirst({ desk }: Chat, cause: unknown): UsageError {
  const isAsked = (desk?.open.length ?? 0) > 0;
  const what = isAsked ? "the turn waits for you; answer what is asked" : "the turn goes on; wait for its end";
  return new UsageError(`${what}, or stop it with Ctrl-C first`, { cause });
}

export const REVERT_COMMAND: ChatCommand = {
  name: "/revert",
  argument: "[N]",
  hint: "list the turns that changed files; with N, show one and take it back",
  run: revert,
  choices: ({ changedTurns, context }) =>
    (changedTurns?.turns ?? []).map(({ files }, index) => ({
      text: String(index + 1),
      hint: filesText(context.out, files),
    })),
};
