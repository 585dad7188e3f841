import type { EventPayload } from "../../event/event.ts";
import type { Part } from "../../message/message.ts";
import { insertMessage } from "../../message/message-store.ts";
import type { StoredSession } from "../../session/session-store.ts";
import { ClaimLost } from "../../store/database.ts";
import { userMessage } from "../open-turn.ts";
import { queueLeft } from "./queue-events.ts";
import { deleteQueued, type StoredQueued } from "./queue-store.ts";
import type { Framing } from "./queued-message.ts";
import type { TurnDeps } from "../turn-deps.ts";
import type { StoredTurn } from "../turn-store.ts";

/** What is said before a steer, so that the model knows what it means for the work under way. */
const PREAMBLES: Readonly<Record<Framing, string>> = {
  plain: "",
  instruction: "[Said while you work. Finish what you are doing first, then do this:]",
  replacement: "[Said while you work. Drop what you are doing, and do this instead:]",
};

/** Makes what was said to a running turn part of its conversation. Each is taken up once, or was removed meanwhile. */
export async function takeSteers(
  deps: TurnDeps,
  session: StoredSession,
  turn: StoredTurn,
  steers: readonly StoredQueued[],
): Promise<void> {
  const messages = steers.map(({ parts, framing }) =>
    userMessage(deps, { ...turn, createTimeMs: deps.clock.now() }, frame(parts, framing)),
  );
  try {
    await deps.log.append(session.id, {
      turnId: turn.id,
      events: [
        ...messages.map((message): EventPayload => ({ kind: "message_completed", message })),
        queueLeft(...steers.map(({ id }) => id)),
      ],
      changes: (firstSeq) => [
        ...steers.map(({ id }) => deleteQueued(id)),
        ...messages.map((message, i) => insertMessage(session.key, message, firstSeq + i)),
      ],
    });
  } catch (error) {
    // Somebody removed one: the next look at the queue finds the others.
    if (!(error instanceof ClaimLost && error.claim === "queued")) throw error;
  }
}

function frame(parts: readonly Part[], framing: Framing): readonly Part[] {
  const preamble = PREAMBLES[framing];
  return preamble === "" ? parts : [{ kind: "text", text: preamble }, ...parts];
}
