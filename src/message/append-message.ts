import type { SessionDeps } from "../session/create-session.ts";
import { getSession } from "../session/session-store.ts";
import { whileIdle } from "../session/while-idle.ts";
import type { EventLog } from "../event/event-log.ts";
import type { Message, Part, Role } from "./message.ts";
import { checkSize } from "./message-size.ts";
import { getMessage, insertMessage } from "./message-store.ts";
import { checkAuthor } from "./said-part.ts";

export interface AppendMessage {
  readonly sessionId: string;
  readonly idempotencyKey: string;
  readonly role: Exclude<Role, "tool">;
  readonly parts: readonly Part[];
  /** The name of the caller's token. */
  readonly actor: string;
}

/**
 * Adds a message to the end of an idle session's history, without a turn. Throws DomainError `SESSION_NOT_FOUND`,
 * `SESSION_BUSY`, `MESSAGE_TOO_LARGE`, `INVALID_FIELD`, `IDEMPOTENCY_KEY_REUSED`; `MESSAGE_NOT_FOUND` for a key whose message was removed.
 */
export async function appendMessage(
  deps: SessionDeps & { readonly log: EventLog },
  request: AppendMessage,
): Promise<Message> {
  const { db, log, clock, newId } = deps;
  const { sessionId, idempotencyKey: key, role, parts, actor } = request;
  checkSize(parts);
  checkAuthor(role, parts);
  return deps.idempotency.once(
    { scope: `AppendMessage ${sessionId}`, key, content: { role, parts } },
    {
      find: async (id) => getMessage(db, await getSession(db, sessionId), id),
      make: (remember) =>
        whileIdle(deps, sessionId, async ({ session, claim }) => {
          const message: Message = {
            id: newId("msg"),
            sessionId,
            turnId: "",
            role,
            status: "complete",
            parts,
            model: "",
            usage: undefined,
            createTimeMs: clock.now(),
          };
          await log.append(sessionId, {
            actor,
            events: [{ kind: "message_completed", message }],
            changes: (firstSeq) => [...claim, insertMessage(session.key, message, firstSeq), ...remember(message.id)],
          });
          return message;
        }),
    },
  );
}
