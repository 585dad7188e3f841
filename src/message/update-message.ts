import type { Clock } from "../clock.ts";
import { DomainError } from "../errors.ts";
import type { EventLog } from "../event/event-log.ts";
import { whileIdle } from "../session/while-idle.ts";
import type { Database } from "../store/database.ts";
import type { Message, Part } from "./message.ts";
import { checkSize } from "./message-size.ts";
import { getMessage, setMessageParts } from "./message-store.ts";
import { checkAuthor } from "./said-part.ts";

export interface UpdateMessage {
  readonly sessionId: string;
  readonly messageId: string;
  /** What takes the place of all but its tool calls. */
  readonly parts: readonly Part[];
  /** The name of the caller's token. */
  readonly actor: string;
}

/**
 * Replaces what a message of an idle session says; its tool calls stay, behind it. One that says just that already is left
 * as it is. Throws DomainError `SESSION_NOT_FOUND`, `MESSAGE_NOT_FOUND`, `SESSION_BUSY`, `MESSAGE_NOT_EDITABLE`,
 * `MESSAGE_TOO_LARGE`, `INVALID_FIELD`.
 */
export async function updateMessage(
  deps: { readonly db: Database; readonly log: EventLog; readonly clock: Clock },
  { sessionId, messageId, parts, actor }: UpdateMessage,
): Promise<Message> {
  return whileIdle(deps, sessionId, async ({ session, claim }) => {
    const before = await getMessage(deps.db, session, messageId);
    if (before.role === "tool") throw notEditable(before);
    checkAuthor(before.role, parts);
    const message = { ...before, parts: [...parts, ...before.parts.filter(({ kind }) => kind === "tool_call")] };
    checkSize(message.parts);
    if (JSON.stringify(message.parts) === JSON.stringify(before.parts)) return before;
    await deps.log.append(sessionId, {
      actor,
      events: [{ kind: "message_updated", message }],
      changes: (firstSeq) => [...claim, setMessageParts(messageId, message.parts, firstSeq)],
    });
    return message;
  });
}

function notEditable({ id, sessionId }: Message): DomainError {
  return new DomainError(
    "precondition",
    "MESSAGE_NOT_EDITABLE",
    `message ${id} is a tool's result, which stays what the model was told; rewind the session to change what came of it`,
    { session_id: sessionId, message_id: id },
  );
}
