import { randomUUID } from "node:crypto";
import { reasonOf, type Turn } from "../client/client.ts";
import type { Chat } from "./chat-state.ts";
import { tryAgain } from "./try-again.ts";

/** Somebody else's turn may run, or begin a moment before ours. */
export async function startWhenIdle(state: Chat, sessionId: string, text: string): Promise<Turn> {
  const { client, turns, leaving, options } = state;
  const { signal } = leaving;
  const idempotencyKey = randomUUID();
  const model = options.session === undefined && options.continue !== true ? "" : (options.model ?? "");
  const request = { sessionId, idempotencyKey, model };
  const parts = [{ content: { case: "text" as const, value: text } }];
  for (;;) {
    if (turns.running !== undefined) await turns.whenEnded(turns.running, signal);
    try {
      const { turn } = await tryAgain(
        async () =>
          text.trim() === "/retry"
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
      await turns.whenEnded(busyWith, signal);
    }
  }
}
