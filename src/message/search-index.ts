import type { Clock } from "../clock.ts";
import { DomainError } from "../errors.ts";
import type { Database, Statement } from "../store/database.ts";
import { foldText } from "../words.ts";
import type { MessageStatus, Part, Role } from "./message.ts";

/** How long a message waits for company: the index is written far from the turns, some messages at once. */
const PACE_MS = 1000;

/** One transaction writes so much: few milliseconds, so that nobody who streams notices. */
const MESSAGES_AT_ONCE = 50;
const BYTES_AT_ONCE = 32 * 1024;
/** After each piece the others have the engine for so many times as long as it took. */
const REST_PER_WORK = 2;

/**
 * Keeps the index that messages are searched by. What is to be indexed the store's triggers write down, in the transaction
 * that changes a message: whoever inserts, completes, edits or deletes one has nothing to do.
 */
export interface SearchIndex {
  /** Begins to index by and by. */
  start(): void;
  /** Indexes all that was committed before. Where the disk refuses that, what is not indexed is found later. */
  catchUp(signal: AbortSignal): Promise<void>;
  /** Stops after the piece it is at. */
  close(): Promise<void>;
}

/** A message as the index needs it; all but the key are null where it is gone. */
export interface MessageToIndex {
  readonly message_key: number;
  readonly session_key: number | null;
  readonly role: Role | null;
  readonly status: MessageStatus | null;
  readonly parts: string | null;
}

type UnindexedRow = MessageToIndex & { readonly place: number };

export function createSearchIndex(
  db: Database,
  clock: Clock,
  onBug: (what: string, error: unknown) => void,
): SearchIndex {
  let piece: Promise<boolean> | undefined;
  let cancelTimer: (() => void) | undefined;
  let running: Promise<void> = Promise.resolve();
  const closing = new AbortController();

  /** True where there may be more. */
  async function indexPiece(): Promise<boolean> {
    let bytes = 0;
    const rows = await db.all<UnindexedRow>(selectUnindexed, ({ parts }) => {
      bytes += parts === null ? 0 : Buffer.byteLength(parts);
      return bytes >= BYTES_AT_ONCE;
    });
    const last = rows.at(-1);
    if (last === undefined) return false;
    await db.transact([...rows.flatMap(toIndex), forget(last.place)]);
    return rows.length === MESSAGES_AT_ONCE || bytes >= BYTES_AT_ONCE;
  }

  /** Pieces come one after another, whoever asks for them. */
  function nextPiece(): Promise<boolean> {
    piece ??= indexPiece().finally(() => {
      piece = undefined;
    });
    return piece;
  }

  async function indexUpTo(place: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted && !closing.signal.aborted) {
      const first = await db.get<{ place: number }>(selectFirst);
      if (first === undefined || first.place > place) return;
      await nextPiece();
    }
  }

  /** Answers when to go on. */
  async function indexSome(): Promise<number> {
    const startMs = clock.monotonic();
    try {
      return (await nextPiece()) ? REST_PER_WORK * (clock.monotonic() - startMs) : PACE_MS;
    } catch (error) {
      // What the disk refuses is refused to everybody, and still written down: the next time may do it.
      if (!(error instanceof DomainError)) onBug("indexing messages", error);
      return PACE_MS;
    }
  }

  function schedule(waitMs: number): void {
    if (closing.signal.aborted) return;
    cancelTimer = clock.after(waitMs, () => {
      running = indexSome().then(schedule);
    });
  }

  return {
    start: () => schedule(PACE_MS),
    catchUp: async (signal) => {
      const last = await db.get<{ place: number | null }>(selectLast);
      if (last === undefined || last.place === null) return;
      try {
        await indexUpTo(last.place, signal);
      } catch (error) {
        if (!(error instanceof DomainError)) throw error;
      }
      signal.throwIfAborted();
    },
    close: async () => {
      closing.abort();
      cancelTimer?.();
      await running;
      await piece?.catch(() => undefined);
    },
  };
}

const selectFirst: Statement = { sql: "SELECT place FROM unindexed_messages ORDER BY place LIMIT 1", params: [] };
const selectLast: Statement = { sql: "SELECT max(place) AS place FROM unindexed_messages", params: [] };
const selectUnindexed: Statement = {
  sql: `SELECT u.place, u.message_key, m.session_key, m.role, m.status, m.parts
    FROM unindexed_messages AS u LEFT JOIN messages AS m ON m.key = u.message_key ORDER BY u.place LIMIT ?`,
  params: [MESSAGES_AT_ONCE],
};

function forget(place: number): Statement {
  return { sql: "DELETE FROM unindexed_messages WHERE place <= ?", params: [place] };
}

/** Makes the index say what the message is; of one that is gone, nothing. */
export function toIndex(row: MessageToIndex): Statement[] {
  const remove = { sql: "DELETE FROM message_index WHERE rowid = ?", params: [row.message_key] };
  if (row.session_key === null || row.role === null || row.parts === null || row.status === "streaming")
    return [remove];
  const text = foldText(searchableText(JSON.parse(row.parts) as Part[])).replaceAll("=", " ");
  const words = `${text} =s${row.session_key} =r${row.role}`;
  return [remove, { sql: "INSERT INTO message_index (rowid, words) VALUES (?, ?)", params: [row.message_key, words] }];
}

/** Searches of one session, or of some roles, ask for these words too. */
export function sessionFacet(sessionKey: number): string {
  return `"=s${sessionKey}"`;
}

export function rolesFacet(roles: readonly Role[]): string {
  return `(${roles.map((role) => `"=r${role}"`).join(" OR ")})`;
}

/** What of a message is searched: what was said, the names of files, and what tools answered, not what a model thought. */
export function searchableText(parts: readonly Part[]): string {
  return parts
    .flatMap((part) => {
      if (part.kind === "file") return [part.name];
      return part.kind === "text" || part.kind === "tool_result" ? [part.text] : [];
    })
    .join("\n");
}
