import type { Database, Row } from "../store/database.ts";
import type { Part, Role } from "./message.ts";
import { rolesFacet, searchableText, sessionFacet, type SearchIndex } from "./search-index.ts";
import { parseSearch, toMatch, type SearchTerm } from "./search-query.ts";
import { snippetOf, type SnippetPiece } from "./snippet.ts";

export interface SearchDeps {
  readonly db: Database;
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
  const found = await deps.db.all<FoundRow>(selectFound(match, beforeKey ?? Number.MAX_SAFE_INTEGER, limit));
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

/** CROSS JOIN: the index leads, from its newest row on; what is no message of a session any more is left out. */
function selectFound(match: string, before: number, limit: number) {
  return {
    sql: `SELECT m.key, m.session_id, s.title, m.id, m.role, m.create_time_ms
      FROM message_index AS i CROSS JOIN messages AS m ON m.key = i.rowid CROSS JOIN sessions AS s ON s.key = m.session_key
      WHERE i.message_index MATCH ? AND i.rowid < ? ORDER BY i.rowid DESC LIMIT ?`,
    params: [match, before, limit],
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
