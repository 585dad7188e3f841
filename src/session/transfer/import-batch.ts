import type { PlacedMessage } from "../../message/message-store.ts";
import type { Message } from "../../message/message.ts";
import type { NewId } from "../../id.ts";
import type { ApprovalMode } from "../../permission/approval-mode.ts";
import type { Database } from "../../store/database.ts";
import type { NewSession } from "../draft-store.ts";
import type { ImportedMessage, ImportedSession, ImportLine } from "./import-format.ts";
import { invalidImport } from "./import-line.ts";
import type { Imported } from "./import-store.ts";
import type { NumberedLine } from "./lines.ts";
import type { SessionDraft } from "../session-draft.ts";

/** One transaction takes so much: some milliseconds, so that nobody who streams notices. */
const MAX_SESSIONS = 100;
const MAX_MESSAGES = 250;
const MAX_BYTES = 256 * 1024;

/** How many ids an answer lists; one of a million sessions must fit into a message too. */
const MAX_LISTED = 10_000;

export interface ImportBatchDeps {
  readonly db: Database;
  readonly newId: NewId;
  /** That of sessions for which the file says none. */
  readonly defaultMode: ApprovalMode;
}

/** Gathers the sessions and messages of a file and puts them into a draft, a piece at a time. */
export interface ImportBatch {
  /** Throws DomainError `INVALID_IMPORT` for an id that was in the file before. */
  add(line: Exclude<ImportLine, { kind: "end" }>, from: NumberedLine): Promise<void>;
  /** Puts in what is left. */
  finish(): Promise<Pick<Imported, "renamed" | "sessionIds">>;
}

interface Numbered<T> {
  readonly item: T;
  readonly number: number;
}

/** A session of the file as it comes into the store. */
interface Place {
  id: string;
  key: number;
  messages: number;
}

export function createImportBatch({ db, newId, defaultMode }: ImportBatchDeps, draft: SessionDraft): ImportBatch {
  const renamed: { from: string; to: string }[] = [];
  const sessionIds: string[] = [];
  const seenSessions = new Set<string>();
  // Of messages only those that were taken: the others are found in the draft. So the first import of a file holds none.
  const seenTaken = new Set<string>();
  let sessions: (Numbered<ImportedSession> & { readonly place: Place })[] = [];
  let messages: (Numbered<ImportedMessage> & { readonly place: Place })[] = [];
  let bytes = 0;
  let current: Place | undefined;

  async function addSessions(): Promise<void> {
    const taken = await idsTaken(
      db,
      "sessions",
      sessions.map(({ item }) => item.id),
    );
    const added: NewSession[] = [];
    for (const { item, place } of sessions) {
      const { id: from, forkedFrom, usage, createTimeMs, updateTimeMs, ...settings } = item;
      place.id = taken.has(from) ? newId("ses") : from;
      if (place.id !== from && renamed.length < MAX_LISTED) renamed.push({ from, to: place.id });
      if (sessionIds.length < MAX_LISTED) sessionIds.push(place.id);
      added.push({
        id: place.id,
        settings: { approvalMode: defaultMode, ...settings },
        origin: { forkedFrom, usage, createTimeMs, updateTimeMs },
      });
    }
    const keys = await draft.addSessions(added);
    for (const [i, { place }] of sessions.entries()) place.key = keys[i] ?? 0;
  }

  async function addMessages(): Promise<void> {
    const ids = messages.map(({ item }) => item.id);
    const taken = await takenMessages(db, ids);
    const drafted = await draft.messagesAmong(ids);
    const inBatch = new Set<string>();
    const added: PlacedMessage[] = [];
    for (const { item, number, place } of messages) {
      if (inBatch.has(item.id) || drafted.has(item.id) || seenTaken.has(item.id)) {
        throw invalidImport(number, `there is a second message ${item.id} in the file`);
      }
      inBatch.add(item.id);
      if (taken.has(item.id)) seenTaken.add(item.id);
      const id = taken.has(item.id) ? newId("msg") : item.id;
      const message: Message = { model: "", usage: undefined, ...item, id, sessionId: place.id };
      added.push({ sessionKey: place.key, seq: ++place.messages, message });
    }
    await draft.addMessages(added);
  }

  async function flush(): Promise<void> {
    if (sessions.length > 0) await addSessions();
    if (messages.length > 0) await addMessages();
    sessions = [];
    messages = [];
    bytes = 0;
  }

  return {
    add: async (line, { number, bytes: { length } }) => {
      if (line.kind === "session") {
        const { session } = line;
        if (seenSessions.has(session.id))
          throw invalidImport(number, `there is a second session ${session.id} in the file`);
        seenSessions.add(session.id);
        current = { id: session.id, key: 0, messages: 0 };
        sessions.push({ item: session, number, place: current });
      } else if (current !== undefined) {
        messages.push({ item: line.message, number, place: current });
      }
      bytes += length;
      if (sessions.length >= MAX_SESSIONS || messages.length >= MAX_MESSAGES || bytes >= MAX_BYTES) await flush();
    },
    finish: async () => {
      await flush();
      return { renamed, sessionIds };
    },
  };
}

/** What is left of a removed session, or of an import that was cut off, holds no id: it only is not swept yet. */
async function takenMessages(db: Database, ids: readonly string[]): Promise<Set<string>> {
  const taken = await idsTaken(db, "messages", ids);
  if (taken.size === 0) return taken;
  const leftOver = {
    sql: `DELETE FROM messages WHERE id IN (SELECT value FROM json_each(?))
      AND session_key IN (SELECT session_key FROM removed_sessions)`,
    params: [JSON.stringify([...taken])],
  };
  await db.transact([leftOver]);
  return idsTaken(db, "messages", ids);
}

async function idsTaken(db: Database, table: "sessions" | "messages", ids: readonly string[]): Promise<Set<string>> {
  const rows = await db.all<{ id: string }>({
    sql: `SELECT id FROM ${table} WHERE id IN (SELECT value FROM json_each(?))`,
    params: [JSON.stringify(ids)],
  });
  return new Set(rows.map(({ id }) => id));
}
