import type { Idempotency } from "../../idempotency/idempotency.ts";
import type { NewId } from "../../id.ts";
import { getMessage, messageFromRow, type MessageRow, type StoredMessage } from "../../message/message-store.ts";
import { listRulesOf } from "../../permission/rule-store.ts";
import { copyRules } from "../../permission/rules.ts";
import type { Clock } from "../../clock.ts";
import type { Database, Statement } from "../../store/database.ts";
import { insertTodos, listTodos } from "../../todo/todo-store.ts";
import { callsOf } from "../../turn/context/transcript.ts";
import {
  HistoryChanged,
  MAX_HISTORY_TRIES,
  openHistory,
  readHistory,
  sessionChanged,
  type History,
} from "./history.ts";
import type { SessionDraft, SessionDrafts } from "../session-draft.ts";
import { getSession, type StoredSession } from "../session-store.ts";

export interface ForkSessionDeps {
  readonly db: Database;
  readonly newId: NewId;
  readonly clock: Clock;
  readonly idempotency: Idempotency;
  readonly drafts: SessionDrafts;
}

export interface ForkSession {
  readonly sessionId: string;
  readonly idempotencyKey: string;
  /** Messages before this one are taken along; empty = all whole ones. */
  readonly beforeMessageId: string;
  /** Undefined = the other's. */
  readonly title: string | undefined;
  /** The name of the caller's token. */
  readonly actor: string;
}

type KeyedRow = MessageRow & { readonly key: number };

const MESSAGE = { columns: "*", bytesOf: (row: KeyedRow) => row.parts.length };

/**
 * Makes a new session of another's settings and messages, as they are at one moment. Throws DomainError
 * `SESSION_NOT_FOUND`, `MESSAGE_NOT_FOUND`, `SESSION_CHANGED`, `IDEMPOTENCY_KEY_REUSED`, `ENGINE_STOPPING`.
 */
export async function forkSession(deps: ForkSessionDeps, request: ForkSession): Promise<StoredSession> {
  const { sessionId, idempotencyKey: key, beforeMessageId, title } = request;
  // Absent and empty are two answers to what the title is to be.
  const content = { beforeMessageId, title: title ?? null };
  return deps.idempotency.once(
    { scope: `ForkSession ${sessionId}`, key, content },
    { find: (id) => getSession(deps.db, id), make: (remember) => forkUnchanged(deps, request, remember) },
  );
}

async function forkUnchanged(
  deps: ForkSessionDeps,
  request: ForkSession,
  remember: (id: string) => readonly Statement[],
): Promise<StoredSession> {
  for (let tries = 1; ; tries++) {
    try {
      const history = await cutBefore(deps.db, await openHistory(deps.db, request.sessionId), request.beforeMessageId);
      const id = deps.newId("ses");
      await deps.drafts.make(request.actor, (draft) => copy(deps, history, { ...request, id }, draft, remember(id)));
      return await getSession(deps.db, id);
    } catch (error) {
      if (!(error instanceof HistoryChanged)) throw error;
      if (tries === MAX_HISTORY_TRIES) throw sessionChanged(request.sessionId);
    }
  }
}

async function copy(
  deps: ForkSessionDeps,
  history: History,
  { id, title }: ForkSession & { readonly id: string },
  draft: SessionDraft,
  also: readonly Statement[],
): Promise<void> {
  const { db, newId } = deps;
  const { session } = history;
  // A star marks one session, not what is made of it.
  const settings = { ...session, title: title ?? session.title, starred: false };
  const [sessionKey = 0] = await draft.addSessions([{ id, settings, origin: { forkedFrom: session.id } }]);
  let seq = 0;
  for await (const rows of readHistory<KeyedRow>(db, history, MESSAGE)) {
    const messages = rows.map((row) => {
      const message = { ...messageFromRow(row), id: newId("msg"), sessionId: id };
      return { sessionKey, seq: ++seq, message, rowKey: row.key };
    });
    if (messages.length > 0) await draft.copyMessages(history, sessionKey, messages);
  }
  const items = await listTodos(db, session.key, history.endSeq);
  if (items.length > 0) {
    const end = seq + 1;
    await draft.addEvent(sessionKey, end, { kind: "todo_changed", items }, [insertTodos(sessionKey, end, items)]);
  }
  const rules = copyRules(deps, await listRulesOf(db, session, deps.clock.now()), id);
  await draft.publish([...rules, ...also]);
}

/** Ends a history before one of its messages, and before calls that have no result by then. Throws `MESSAGE_NOT_FOUND`. */
async function cutBefore(db: Database, history: History, beforeMessageId: string): Promise<History> {
  let { endSeq } = history;
  // Nothing whole comes after one that is being made.
  if (beforeMessageId !== "" && !history.openIds.has(beforeMessageId)) {
    const { seq } = await getMessage(db, history.session, beforeMessageId);
    endSeq = seq - 1;
  }
  return { ...history, endSeq: await endOfWhole(db, { ...history, endSeq }) };
}

/** The end, moved before the last assistant message where not all of its calls have their results before it. */
async function endOfWhole(db: Database, history: History): Promise<number> {
  const answered = new Set<string>();
  for await (const message of newestFirst(db, history)) {
    for (const part of message.parts) if (part.kind === "tool_result") answered.add(part.callId);
    if (message.role === "tool") continue;
    const isOpen = message.status === "complete" && callsOf(message).some(({ callId }) => !answered.has(callId));
    return isOpen ? message.seq - 1 : history.endSeq;
  }
  return history.endSeq;
}

async function* newestFirst(db: Database, { session, endSeq, openIds }: History): AsyncGenerator<StoredMessage> {
  for (let end = endSeq; ;) {
    const row = await db.get<MessageRow>({
      sql: "SELECT * FROM messages WHERE session_key = ? AND seq <= ? ORDER BY seq DESC LIMIT 1",
      params: [session.key, end],
    });
    if (row === undefined) return;
    end = row.seq - 1;
    if (!openIds.has(row.id)) yield messageFromRow(row);
  }
}
