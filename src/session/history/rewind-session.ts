import { getMessage, type StoredMessage } from "../../message/message-store.ts";
import type { Database } from "../../store/database.ts";
import { callsOf } from "../../turn/context/transcript.ts";
import { cutHistory, type CutHistoryDeps } from "./cut-history.ts";
import { findAssistantBefore, findTurnStart, findIdBefore } from "./history-store.ts";
import type { StoredSession } from "../session-store.ts";
import { whileIdle } from "../while-idle.ts";

export interface RewindSession {
  readonly sessionId: string;
  /** The first message to remove. */
  readonly messageId: string;
  /** The name of the caller's token. */
  readonly actor: string;
}

/** A session after a rewind, and the first message that went. */
export interface Rewound {
  readonly session: StoredSession;
  readonly firstMessageId: string;
}

/**
 * Removes a message of an idle session and all after it; where it is the result of a call, from the message that asked on.
 * Throws DomainError `SESSION_NOT_FOUND`, `MESSAGE_NOT_FOUND`, `SESSION_BUSY`.
 */
export async function rewindSession(deps: CutHistoryDeps, request: RewindSession): Promise<Rewound> {
  const { sessionId, messageId, actor } = request;
  return whileIdle(deps, sessionId, async (idle) => {
    const { session } = idle;
    const first = await withItsCalls(deps.db, session.key, await getMessage(deps.db, session, messageId));
    const fromSeq = await cutPlace(deps.db, session.key, first);
    const after = await cutHistory(deps, idle, { fromSeq, firstMessageId: first.id, actor });
    return { session: after, firstMessageId: first.id };
  });
}

/** The message that asked for the call which this one answers; else this one. Results follow directly after what asked for them. */
async function withItsCalls(db: Database, sessionKey: number, message: StoredMessage): Promise<StoredMessage> {
  const [part] = message.parts;
  if (part?.kind !== "tool_result") return message;
  const asker = await findAssistantBefore(db, sessionKey, message.seq);
  return asker !== undefined && callsOf(asker).some(({ callId }) => callId === part.callId) ? asker : message;
}

/** A turn of which no message is left goes as a whole; of another all stays that came before the message. */
async function cutPlace(db: Database, sessionKey: number, { seq, turnId }: StoredMessage): Promise<number> {
  const start = await findTurnStart(db, sessionKey, turnId);
  if (start === undefined) return seq;
  const before = await findIdBefore(db, sessionKey, seq);
  const beforeTurn = await findIdBefore(db, sessionKey, start);
  return before === beforeTurn ? start : seq;
}
