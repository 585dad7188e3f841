import type { Clock } from "../clock.ts";
import type { Database, Row } from "../store/database.ts";
import type { Part, Role } from "./message.ts";
import { rolesFacet, searchableText, sessionFacet, type SearchIndex } from "./search-index.ts";
import { parseSearch, toMatch, type SearchTerm } from "./search-query.ts";
import { snippetOf, type SnippetPiece } from "./snippet.ts";

export interface SearchDeps {
  readonly db: Database;
  readonly clock: Clock;
  readonly searchIndex: SearchIndex;
}

export interface Search {
  readonly query: string;
  /** Undefined = in all sessions. */
  readonly sessionKey: number | undefined;
  /** Empty = of all roles. */
  readonly roles: readonly Role[];
}

/** A message that was found. */
export interface Found {
  readonly key: number;
  readonly sessionId: string;
  readonly sessionTitle: string;
  readonly messageId: string;
  readonly role: Role;
  readonly createTimeMs: number;
}

interface FoundRow extends Row {
  key: number;
  session_id: string;
  title: string;
  id: string;
  role: Role;
  create_time_ms: number;
}

/** Everything in the index is in keys up to the last one; they are searched in stretches, so that the engine goes on between two. */
const FIRST_STRETCH = 50_000;
/** A stretch that took longer is followed by a shorter one, and the other way round. */
const LONG_MS = 8;

/**
 * Messages in which all that the query asks for is, before the one with `beforeKey` (undefined = from the newest), the last
 * stored first. Sees all that was committed before. Throws DomainError `INVALID_QUERY`.
 */
export async function searchMessages(
  deps: SearchDeps,
  search: Search,
  beforeKey: number | undefined,
  limit: number,
  signal: AbortSignal,
): Promise<readonly Found[]> {
  const match = matchOf(search);
  await deps.searchIndex.catchUp(signal);
  const found: FoundRow[] = [];
  let before = beforeKey ?? (await lastKey(deps.db)) + 1;
  let stretch = FIRST_STRETCH;
  while (before > 1 && found.length < limit) {
    const from = Math.max(before - stretch, 1);
    const startMs = deps.clock.monotonic();
    found.push(...(await deps.db.all<FoundRow>(selectFound(match, from, before, limit - found.length))));
    const tookMs = deps.clock.monotonic() - startMs;
    stretch = tookMs > LONG_MS ? Math.max(stretch / 2, 1000) : stretch * 2;
    before = from;
    if (tookMs > LONG_MS) await nextTurnOfLoop();
    signal.throwIfAborted();
  }
  return found.map((row) => ({
    key: row.key,
    sessionId: row.session_id,
    sessionTitle: row.title,
    messageId: row.id,
    role: row.role,
    createTimeMs: row.create_time_ms,
  }));
}

function matchOf({ query, sessionKey, roles }: Search): string {
  const facets = [
    ...(sessionKey === undefined ? [] : [sessionFacet(sessionKey)]),
    ...(roles.length === 0 ? [] : [rolesFacet(roles)]),
  ];
  return toMatch(parseSearch(query), facets);
}

async function lastKey(db: Database): Promise<number> {
  const row = await db.get<{ key: number | null }>({ sql: "SELECT max(key) AS key FROM messages", params: [] });
  return row?.key ?? 0;
}

/** CROSS JOIN: the index leads, from its newest row on; what is no message of a session any more is left out. */
function selectFound(match: string, from: number, before: number, limit: number) {
  return {
    sql: `SELECT m.key, m.session_id, s.title, m.id, m.role, m.create_time_ms
      FROM message_index AS i CROSS JOIN messages AS m ON m.key = i.rowid CROSS JOIN sessions AS s ON s.key = m.session_key
      WHERE i.message_index MATCH ? AND i.rowid >= ? AND i.rowid < ? ORDER BY i.rowid DESC LIMIT ?`,
    params: [match, from, before, limit],
  };
}

function nextTurnOfLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** The text of a message around what was searched for. One after another: a message may be long. */
export async function readSnippet(db: Database, { query }: Search, key: number): Promise<readonly SnippetPiece[]> {
  const row = await db.get<{ parts: string }>({ sql: "SELECT parts FROM messages WHERE key = ?", params: [key] });
  if (row === undefined) return [];
  const terms: readonly SearchTerm[] = parseSearch(query);
  const text = searchableText(JSON.parse(row.parts) as Part[]);
  if (text.length > LONG_TEXT) await nextTurnOfLoop();
  return snippetOf(text, terms);
}

/** A text in which it may take some milliseconds to find the words again. */
const LONG_TEXT = 64 * 1024;
