import type { Chat } from "./state.ts";
import { failureOf } from "../failure.ts";

/** Ctrl-C: stops the turn; where none runs, or it is being stopped, leaves. */
export function interrupt(chat: Chat): void {
  const { client, context, page, room } = chat;
  const turnId = room?.facts.runningTurnId;
  if (room === undefined || turnId === undefined || chat.hasInterrupted) {
    chat.hasInterrupted = true;
    return chat.stop();
  }
  chat.hasInterrupted = true;
  if (!context.json) page.wait("stopping; Ctrl-C again to leave");
  client.messages.cancelTurn({ sessionId: room.sessionId, turnId }, { signal: chat.leaving.signal }).then(
    () => (chat.hasInterrupted = false),
    (error: unknown) => {
      if (!chat.leaving.signal.aborted) page.line("error", context.out.style.red(failureOf(error).text));
    },
  );
}
