import { DomainError } from "../errors.ts";
import type { Database, Row, SqlValue, Statement } from "../store/database.ts";
import { insertRows } from "../store/insert-rows.ts";
import type { Usage } from "../usage/usage.ts";
import type { Message, MessageStatus, Part, Role } from "./message.ts";

export interface MessageRow extends Row {
  id: string;
  session_id: string;
  turn_id: string;
  seq: number;
  role: Role;
  status: MessageStatus;
  parts: string;
  model: string;
  usage: string;
  create_time_ms: number;
}

/** A message with its place in the conversation. */
export type StoredMessage = Message & { readonly seq: number };

export function messageFromRow(row: MessageRow): StoredMessage {
  return {
    id: row.id,
    sessionId: row.session_id,
    turnId: row.turn_id,
    seq: row.seq,
    role: row.role,
    status: row.status,
    parts: JSON.parse(row.parts) as Part[],
    model: row.model,
    usage: row.usage === "" ? undefined : (JSON.parse(row.usage) as Usage),
    createTimeMs: row.create_time_ms,
  };
}

const MESSAGES =
  "messages (id, session_key, session_id, turn_id, seq, role, status, parts, model, usage, create_time_ms)";

/** A message, the key of its session, and its place there. */
export interface PlacedMessage {
  readonly sessionKey: number;
  readonly seq: number;
  readonly message: Message;
}

/** A message that is what another row says, but for its id, session and place. */
export interface CopiedMessage extends PlacedMessage {
  /** The key of that row. */
  readonly rowKey: number;
}

export function insertMessage(sessionKey: number, message: Message, seq: number): Statement {
  return {
    sql: `INSERT INTO ${MESSAGES} VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    params: rowOf({ sessionKey, message, seq }),
  };
}

/** Several at once. */
export function insertMessages(messages: readonly PlacedMessage[]): Statement[] {
  return insertRows(MESSAGES, messages.map(rowOf));
}

/** Copies rows within the store, in order, into one session where their places follow each other: half the work of inserting them. */
export function copyMessages(sessionKey: number, messages: readonly CopiedMessage[]): Statement {
  const [first] = messages;
  const ids = messages.map(({ rowKey, message }) => [rowKey, message.id]);
  return {
    sql: `INSERT INTO ${MESSAGES}
      SELECT copy.value ->> 1, ?, ?, m.turn_id, ? + copy.key, m.role, m.status, m.parts, m.model, m.usage, m.create_time_ms
      FROM json_each(?) AS copy CROSS JOIN messages AS m ON m.key = copy.value ->> 0`,
    params: [sessionKey, first?.message.sessionId ?? "", first?.seq ?? 0, JSON.stringify(ids)],
  };
}

function rowOf({ sessionKey, message, seq }: PlacedMessage): SqlValue[] {
  return [
    message.id,
    sessionKey,
    message.sessionId,
    message.turnId,
    seq,
    message.role,
    message.status,
    JSON.stringify(message.parts),
    message.model,
    message.usage === undefined ? "" : JSON.stringify(message.usage),
    message.createTimeMs,
  ];
}

/** Completes a message that was being made. Its claim is lost where it is complete already. */
export function completeMessage(message: Message): Statement {
  return {
    sql: "UPDATE messages SET status = ?, parts = ?, usage = ? WHERE id = ? AND status = 'streaming'",
    params: [
      message.status,
      JSON.stringify(message.parts),
      message.usage === undefined ? "" : JSON.stringify(message.usage),
      message.id,
    ],
    claim: "message",
  };
}

/** The whole conversation, in order, with the message that is being made. */
export async function listConversation(db: Database, sessionKey: number): Promise<StoredMessage[]> {
  const rows = await db.all<MessageRow>({
    sql: "SELECT * FROM messages WHERE session_key = ? ORDER BY seq",
    params: [sessionKey],
  });
  return rows.map(messageFromRow);
}

/** The newest whole messages, the newest first; answers `MessageRow`s. */
export function selectNewestMessages(sessionKey: number, limit: number): Statement {
  return {
    sql: "SELECT * FROM messages WHERE session_key = ? AND status <> 'streaming' ORDER BY seq DESC LIMIT ?",
    params: [sessionKey, limit],
  };
}

/** The message that a running turn is making; answers a `MessageRow`, or nothing. */
export function selectStreaming(sessionKey: number): Statement {
  return {
    sql: `SELECT m.* FROM sessions AS s JOIN turns AS t ON t.id = s.running_turn_id
      JOIN messages AS m ON m.session_key = s.key AND m.seq >= t.first_seq WHERE s.key = ? AND m.status = 'streaming'`,
    params: [sessionKey],
  };
}

/** Whole messages before a place, the newest first; ends after `maxBytes` of parts. */
export async function listMessagesBefore(
  db: Database,
  sessionKey: number,
  beforeSeq: number | undefined,
  limit: number,
  maxBytes: number,
): Promise<StoredMessage[]> {
  let bytes = 0;
  const rows = await db.all<MessageRow>(
    {
      sql: `SELECT * FROM messages WHERE session_key = ? AND seq < ? AND status <> 'streaming' ORDER BY seq DESC LIMIT ?`,
      params: [sessionKey, beforeSeq ?? Number.MAX_SAFE_INTEGER, limit],
    },
    (row) => {
      bytes += Buffer.byteLength(row.parts);
      return bytes >= maxBytes;
    },
  );
  return rows.map(messageFromRow);
}

/** What the first user message of a conversation says, with the names of its files; empty where there is none. */
export async function findFirstSaid(db: Database, sessionKey: number): Promise<string> {
  const row = await db.get<Pick<MessageRow, "parts">>({
    sql: "SELECT parts FROM messages WHERE session_key = ? AND role = 'user' ORDER BY seq LIMIT 1",
    params: [sessionKey],
  });
  const parts = row === undefined ? [] : (JSON.parse(row.parts) as Part[]);
  return parts
    .flatMap((part) => (part.kind === "text" ? [part.text] : part.kind === "file" ? [part.name] : []))
    .join("\n");
}

/** The newest message of a turn that is whole or being made. */
export async function findLastOfTurn(
  db: Database,
  sessionKey: number,
  turnId: string,
): Promise<StoredMessage | undefined> {
  const row = await db.get<MessageRow>({
    sql: "SELECT * FROM messages WHERE session_key = ? AND turn_id = ? ORDER BY seq DESC LIMIT 1",
    params: [sessionKey, turnId],
  });
  return row === undefined ? undefined : messageFromRow(row);
}

/** What a turn's model said last, as far as it said something whole. */
export async function findLastAnswer(db: Database, sessionKey: number, turnId: string): Promise<string | undefined> {
  const rows = await db.all<Pick<MessageRow, "parts">>({
    sql: `SELECT parts FROM messages WHERE session_key = ? AND turn_id = ? AND role = 'assistant' AND status = 'complete'
        ORDER BY seq DESC LIMIT 20`,
    params: [sessionKey, turnId],
  });
  const texts = rows.map(({ parts }) =>
    (JSON.parse(parts) as readonly Part[]).flatMap((part) => (part.kind === "text" ? [part.text] : [])).join(""),
  );
  return texts.find((text) => text.trim() !== "");
}

/** The message that a model would be sent last. */
export async function findLastComplete(db: Database, sessionKey: number): Promise<StoredMessage | undefined> {
  const row = await db.get<MessageRow>({
    sql: "SELECT * FROM messages WHERE session_key = ? AND status = 'complete' ORDER BY seq DESC LIMIT 1",
    params: [sessionKey],
  });
  return row === undefined ? undefined : messageFromRow(row);
}

/** A whole message of a session. Throws DomainError `MESSAGE_NOT_FOUND`, also for one of another session. */
export async function getMessage(
  db: Database,
  session: { readonly id: string; readonly key: number },
  messageId: string,
): Promise<StoredMessage> {
  const row = await db.get<MessageRow>({
    sql: "SELECT * FROM messages WHERE id = ? AND session_key = ? AND status <> 'streaming'",
    params: [messageId, session.key],
  });
  if (row !== undefined) return messageFromRow(row);
  throw new DomainError("not_found", "MESSAGE_NOT_FOUND", `session ${session.id} has no message ${messageId}`, {
    session_id: session.id,
    message_id: messageId,
  });
}

/** Replaces what a message says, and notes the number of the event that tells it. Its claim is lost where it is gone. */
export function setMessageParts(messageId: string, parts: readonly Part[], updatedSeq: number): Statement {
  return {
    sql: "UPDATE messages SET parts = ?, updated_seq = ? WHERE id = ? AND status <> 'streaming'",
    params: [JSON.stringify(parts), updatedSeq, messageId],
    claim: "message",
  };
}
