import { DomainError } from "../../errors.ts";
import { sessionNotFound } from "../../event/session-logs.ts";
import type { Database, Row } from "../../store/database.ts";
import { getSession, selectSession, sessionFromRow, type SessionRow, type StoredSession } from "../session-store.ts";

/** What is read at once: some milliseconds, so that nobody who streams notices. */
const PIECE_ROWS = 500;
const PIECE_BYTES = 256 * 1024;

/** A history that is edited while it is read is read again, so often at most. */
export const MAX_HISTORY_TRIES = 5;

/** What was said in a session, as it was at one moment. */
export interface History {
  readonly session: StoredSession;
  /** The place of the last message, or of one after it. */
  readonly endSeq: number;
  /** Messages that were being made: they are no part of it. */
  readonly openIds: ReadonlySet<string>;
}

/** What was said before was changed or removed while it was read; what was read so far fits nothing. */
export class HistoryChanged extends Error {
  override readonly name = "HistoryChanged";
}

/** Throws DomainError `SESSION_NOT_FOUND`. */
export async function openHistory(db: Database, sessionId: string): Promise<History> {
  const session = await getSession(db, sessionId);
  // Only what runs has a message that is being made; where something does, both are looked at again, at one moment.
  return session.runningTurnId === "" ? historyOf(session, []) : openRunning(db, sessionId);
}

async function openRunning(db: Database, sessionId: string): Promise<History> {
  const streaming = `SELECT m.id AS id FROM sessions AS s JOIN turns AS t ON t.id = s.running_turn_id
    JOIN messages AS m ON m.session_key = s.key AND m.seq >= t.first_seq WHERE s.id = ? AND m.status = 'streaming'`;
  const [[row] = [], open = []] = await db.read([selectSession(sessionId), { sql: streaming, params: [sessionId] }]);
  if (row === undefined) throw sessionNotFound(sessionId);
  return historyOf(sessionFromRow(row as SessionRow), open);
}

function historyOf(session: StoredSession, open: readonly Row[]): History {
  return { session, endSeq: session.lastSeq, openIds: new Set(open.map(({ id }) => String(id))) };
}

/** Which columns of a message to read, and the size of what they hold. */
export interface HistoryColumns<R> {
  readonly columns: string;
  bytesOf(row: R): number;
}

/**
 * Reads a history piece by piece, the oldest first: all pieces of the one moment, or it throws `HistoryChanged`. What is
 * added meanwhile, and a message that becomes whole, changes nothing.
 */
export async function* readHistory<R extends { readonly id: string; readonly seq: number }>(
  db: Database,
  { session, endSeq, openIds }: History,
  { columns, bytesOf }: HistoryColumns<R>,
): AsyncGenerator<R[]> {
  for (let afterSeq = 0; ;) {
    let bytes = 0;
    const next = {
      sql: `SELECT ${columns} FROM messages WHERE session_key = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?`,
      params: [session.key, afterSeq, endSeq, PIECE_ROWS],
      stop: (row: Row) => (bytes += bytesOf(row as unknown as R)) >= PIECE_BYTES,
    };
    const edits = { sql: "SELECT history_edits FROM sessions WHERE key = ?", params: [session.key] };
    const [rows = [], [now] = []] = await db.read([next, edits]);
    if (now?.["history_edits"] !== session.historyEdits) throw new HistoryChanged();
    const last = rows.at(-1);
    if (last === undefined) return;
    afterSeq = Number(last["seq"]);
    const piece = rows as unknown as R[];
    yield openIds.size === 0 ? piece : piece.filter(({ id }) => !openIds.has(id));
    if (rows.length < PIECE_ROWS && bytes < PIECE_BYTES) return;
  }
}

export function sessionChanged(sessionId: string): DomainError {
  return new DomainError(
    "precondition",
    "SESSION_CHANGED",
    `the history of session ${sessionId} was changed while it was read; try again`,
    { session_id: sessionId },
  );
}
