import { auditEntry } from "../../audit/audit-entry.ts";
import { type Clock, othersFirst } from "../../clock.ts";
import { DomainError } from "../../errors.ts";
import type { Database } from "../../store/database.ts";
import { endLine, headLine, MESSAGE_LINE, sessionLine, type Lines } from "./export-format.ts";
import { readSmallSessions } from "./export-small.ts";
import { HistoryChanged, MAX_HISTORY_TRIES, openHistory, readHistory, sessionChanged } from "../history/history.ts";
import { getSession } from "../session-store.ts";

/** A piece of the file: large enough that its envelope costs nothing. */
const PIECE_BYTES = 256 * 1024;

/** The most bytes of a piece, as the contract says; the line of one message may be longer. */
const MAX_PIECE_BYTES = 1024 * 1024;

/** So much of a session is held back until it is read: one that is edited meanwhile is read again, and nobody notices. */
const HELD_BYTES = 1024 * 1024;

/** Small sessions are read together: asking for each one costs more than what most of them hold. */
const SESSIONS_AT_ONCE = 50;

/** A message's line, and what it is read by. */
interface LineRow {
  readonly id: string;
  readonly seq: number;
  readonly line: string;
}

const LINES = { columns: `id, seq, ${MESSAGE_LINE} AS line`, bytesOf: (row: LineRow) => row.line.length };

/**
 * Sessions as JSON lines, in pieces that are cut anywhere; each session as it is at one moment. No ids = all there are, the
 * oldest first; one of those that is removed meanwhile is left out. Throws DomainError `SESSION_NOT_FOUND` (before the first
 * piece where it is not there at all), and `SESSION_CHANGED` where a large one is edited while it is read.
 */
export async function* exportSessions(
  { db, clock }: { readonly db: Database; readonly clock: Clock },
  sessionIds: readonly string[],
  actor: string,
): AsyncGenerator<Uint8Array> {
  for (const id of sessionIds) await getSession(db, id);
  const isAll = sessionIds.length === 0;
  const detail = isAll ? { all: true } : { sessions: [...sessionIds] };
  // Also where the disk is full: what is read then may be what is to be saved.
  await db.transact([auditEntry({ action: "SESSIONS_EXPORTED", timeMs: clock.now(), actor, detail })], {
    essential: true,
  });
  const counts = { sessions: 0, messages: 0 };
  let pieces: Uint8Array[] = [Buffer.from(headLine())];
  let size = 0;
  for await (const lines of readAll(db, isAll ? await listAllIds(db) : sessionIds, isAll)) {
    counts.sessions += lines.sessions;
    counts.messages += lines.messages;
    pieces.push(lines.bytes);
    size += lines.bytes.length;
    if (size < PIECE_BYTES) continue;
    yield* cut(Buffer.concat(pieces));
    pieces = [];
    size = 0;
    // Reading is quick and a fast client never makes it wait: turns must not.
    await othersFirst();
  }
  yield* cut(Buffer.concat([...pieces, Buffer.from(endLine(counts))]));
}

/** The lines of these sessions, in order. `mayBeGone`: whoever asked for all asked for none in particular. */
async function* readAll(db: Database, sessionIds: readonly string[], mayBeGone: boolean): AsyncGenerator<Lines> {
  for (let start = 0; start < sessionIds.length; start += SESSIONS_AT_ONCE) {
    const ids = sessionIds.slice(start, start + SESSIONS_AT_ONCE);
    const small = await readSmallSessions(db, ids);
    for (const id of ids) {
      const lines = small.get(id);
      if (lines === undefined) yield* readWhole(db, id, mayBeGone);
      else yield* lines;
    }
  }
}

/** A session's lines, all of one moment; none where it may be gone and is. */
async function* readWhole(db: Database, sessionId: string, mayBeGone: boolean): AsyncGenerator<Lines> {
  for (let tries = 1; ; tries++) {
    let held: Lines[] | undefined = [];
    let heldBytes = 0;
    try {
      for await (const lines of readLines(db, sessionId)) {
        if (held === undefined) {
          yield lines;
          continue;
        }
        held.push(lines);
        heldBytes += lines.bytes.length;
        if (heldBytes < HELD_BYTES) continue;
        yield* held;
        held = undefined;
      }
      if (held !== undefined) yield* held;
      return;
    } catch (error) {
      const isUntold = held !== undefined;
      if (isUntold && mayBeGone && error instanceof DomainError && error.reason === "SESSION_NOT_FOUND") return;
      if (!(error instanceof HistoryChanged)) throw error;
      if (!isUntold || tries === MAX_HISTORY_TRIES) throw sessionChanged(sessionId);
    }
  }
}

async function* readLines(db: Database, sessionId: string): AsyncGenerator<Lines> {
  const history = await openHistory(db, sessionId);
  yield { bytes: Buffer.from(sessionLine(history.session)), sessions: 1, messages: 0 };
  for await (const rows of readHistory<LineRow>(db, history, LINES)) {
    const bytes = Buffer.from(rows.map(({ line }) => line).join(""));
    yield { bytes, sessions: 0, messages: rows.length };
  }
}

async function listAllIds(db: Database): Promise<string[]> {
  const rows = await db.all<{ id: string }>({
    sql: "SELECT id FROM sessions ORDER BY create_time_ms, key",
    params: [],
  });
  return rows.map(({ id }) => id);
}

function* cut(bytes: Buffer<ArrayBuffer>): Generator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += MAX_PIECE_BYTES) {
    yield bytes.subarray(start, start + MAX_PIECE_BYTES);
  }
}
