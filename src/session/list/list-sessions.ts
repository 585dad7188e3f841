import type { Database, Row, SqlValue, Statement } from "../../store/database.ts";
import { parseTitleQuery, toMatch, type SearchTerm } from "../../message/search-query.ts";
import { pageByKey } from "./list-by-key.ts";
import type { SessionState } from "../session.ts";
import { sessionFromRow, type SessionRow, type StoredSession } from "../session-store.ts";

/** What a session must be; all of it. */
export interface SessionFilter {
  /** Words of the title; each may be the beginning of one. Empty = any. */
  readonly query: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Empty = any. */
  readonly states: readonly SessionState[];
  /** Undefined = either. */
  readonly starred: boolean | undefined;
  /** A canonical path; empty = any. */
  readonly workspace: string;
  /** Empty = any. */
  readonly profile: string;
  /** Started by agents of this session; empty = by none; undefined = either. */
  readonly parentSessionId?: string | undefined;
}

export type SessionOrder = "create_desc" | "create_asc" | "update_desc" | "title_asc";

/** What a session is ordered by, then its key. */
export type SessionPlace = readonly [orderedBy: number | string, key: number];

export type ListedSession = StoredSession & { readonly place: SessionPlace };

export interface ListSessions {
  readonly filter: SessionFilter;
  readonly order: SessionOrder;
  /** Undefined = from the beginning. */
  readonly after: SessionPlace | undefined;
  readonly limit: number;
  /** A page ends with the session that is beyond. */
  readonly maxBytes: number;
}

/** Each has an index. */
const ORDERS: Readonly<Record<SessionOrder, { readonly by: string; readonly direction: "ASC" | "DESC" }>> = {
  create_desc: { by: "create_time_ms", direction: "DESC" },
  create_asc: { by: "create_time_ms", direction: "ASC" },
  update_desc: { by: "update_time_ms", direction: "DESC" },
  title_asc: { by: "substr(title_folded, 1, 160)", direction: "ASC" },
};

/** So many matches are looked up and sorted in about a millisecond. */
const FEW = 1000;
/** So many sessions are asked one by one in about as long. Enough for a page where one in eight matches. */
const LOOK_AHEAD = 400;

interface Place extends Row {
  key: number;
  ordered_by: number | string;
}

/**
 * The sessions that match, in order. No page costs more than one pass over what matches, and most far less: see `findPlaces`.
 * Throws DomainError `INVALID_QUERY`.
 */
export async function listSessions(db: Database, request: ListSessions): Promise<readonly ListedSession[]> {
  const places = await findPlaces(db, request);
  let bytes = 0;
  const rows = await db.all<SessionRow>(
    {
      sql: `SELECT s.* FROM json_each(?) AS wanted CROSS JOIN sessions AS s ON s.key = wanted.value ORDER BY wanted.id`,
      params: [JSON.stringify(places.map(({ key }) => key))],
    },
    (row) => {
      bytes += Buffer.byteLength(row.system_prompt) + Buffer.byteLength(row.labels);
      return bytes >= request.maxBytes;
    },
  );
  const byKey = new Map(places.map(({ key, ordered_by: orderedBy }) => [key, orderedBy]));
  return rows.map((row) => ({ ...sessionFromRow(row), place: [byKey.get(row.key) ?? "", row.key] }));
}

/**
 * Without a filter the order's index is the list. With one: few matches are sorted; among many, by the time of making, those
 * of the next keys mostly are the page; else the next that match are soon met on the way along the order's index; and where
 * they are not, all that match are put together once, to be met there.
 */
async function findPlaces(db: Database, request: ListSessions): Promise<readonly Place[]> {
  const { filter, order, after, limit } = request;
  const match = matchOf(filter);
  const isActive = filter.states.length > 0 && !filter.states.includes("idle");
  if (match === "") return db.all(select(request, { from: sourceOf(filter, isActive) }));

  const few = await db.all<{ key: number }>({
    sql: "SELECT rowid AS key FROM session_index WHERE session_index MATCH ? LIMIT ?",
    params: [match, FEW + 1],
  });
  if (few.length <= FEW) return db.all(select(request, { from: AMONG, params: [keysOf(few)] }));
  const inMatch = {
    and: "+s.key IN (SELECT rowid FROM session_index WHERE session_index MATCH ?)",
    andParams: [match],
  };
  if (isActive) return db.all(select(request, { from: ACTIVE, ...inMatch }));

  const { by, direction } = ORDERS[order];
  if (by === "create_time_ms") {
    const among = (keys: readonly { readonly key: number }[]) =>
      db.all<Place>(select(request, { from: AMONG, params: [keysOf(keys)] }));
    const page = await pageByKey(db, { match, direction, after, limit, keys: 2 * limit }, among);
    if (page !== undefined) return page;
  }
  const met = await db.all<Place>(selectAhead(request));
  return met.length === limit ? met : db.all(select(request, { from: SESSIONS, ...inMatch }));
}

function sourceOf({ parentSessionId = "" }: SessionFilter, isActive: boolean): string {
  if (parentSessionId !== "") return CHILDREN;
  return isActive ? ACTIVE : SESSIONS;
}

const SESSIONS = "sessions AS s";
/** Those that agents started, which are few of one session: by their own index. */
const CHILDREN = "(SELECT * FROM sessions INDEXED BY sessions_by_parent WHERE parent_session_id <> '') AS s";
/** Those that are not idle, which are few: by their own index. */
const ACTIVE = "(SELECT * FROM sessions INDEXED BY sessions_active WHERE state <> 'idle') AS s";
const AMONG = "json_each(?) AS found CROSS JOIN sessions AS s ON s.key = found.value";

interface Source {
  readonly from: string;
  readonly params?: readonly SqlValue[];
  /** One more condition. */
  readonly and?: string;
  readonly andParams?: readonly SqlValue[];
}

/** The places of sessions from a source, by state and place, in order. */
function select({ filter, order, after, limit }: ListSessions, source: Source): Statement {
  const { by, direction } = ORDERS[order];
  const { states, parentSessionId } = filter;
  const conditions = [
    ...(source.and === undefined ? [] : [source.and]),
    ...(parentSessionId === undefined ? [] : ["s.parent_session_id = ?"]),
    ...(states.length === 0 ? [] : [isIn(states)]),
    ...(after === undefined ? [] : [`(${by}, s.key) ${direction === "ASC" ? ">" : "<"} (?, ?)`]),
  ];
  return {
    sql: `SELECT s.key, ${by} AS ordered_by FROM ${source.from}
      ${conditions.length === 0 ? "" : `WHERE ${conditions.join(" AND ")}`}
      ORDER BY ${by} ${direction}, s.key ${direction} LIMIT ?`,
    params: [
      ...(source.params ?? []),
      ...(source.andParams ?? []),
      ...(parentSessionId === undefined ? [] : [parentSessionId]),
      ...states,
      ...(after ?? []),
      limit,
    ],
  };
}

function lookAhead(limit: number): number {
  return Math.max(LOOK_AHEAD, 4 * limit);
}

/** Those that match among the next ones in order, asked each for itself. */
function selectAhead({ filter, ...request }: ListSessions): Statement {
  const { limit } = request;
  const next = select(
    {
      ...request,
      filter: { ...filter, states: [], parentSessionId: undefined },
      limit: lookAhead(limit),
    },
    { from: SESSIONS },
  );
  const { conditions, params } = conditionsOf(filter);
  return {
    sql: `SELECT s.key, next.ordered_by FROM (${next.sql}) AS next CROSS JOIN sessions AS s ON s.key = next.key
      WHERE ${conditions.join(" AND ")} LIMIT ?`,
    params: [...next.params, ...params, limit],
  };
}

/** What a session must be, without the index. Says the same as `matchOf`, together with the states. */
function conditionsOf({ query, starred, profile, workspace, labels, states, parentSessionId }: SessionFilter) {
  const all: (readonly [condition: string, ...params: SqlValue[]])[] = [
    ...termsOf(query).map(({ words }) => ["instr(' ' || s.title_folded, ?) > 0", ` ${words.join(" ")}`] as const),
    ...(starred === undefined ? [] : [["s.starred = ?", starred ? 1 : 0] as const]),
    ...(profile === "" ? [] : [["s.profile = ?", profile] as const]),
    ...(workspace === "" ? [] : [["s.workspace = ?", workspace] as const]),
    ...(parentSessionId === undefined ? [] : [["s.parent_session_id = ?", parentSessionId] as const]),
    ...Object.entries(labels).map(([name, value]) => [HAS_LABEL, name, value] as const),
    ...(states.length === 0 ? [] : [[isIn(states), ...states] as const]),
  ];
  return { conditions: all.map(([condition]) => condition), params: all.flatMap(([, ...params]) => params) };
}

const HAS_LABEL = "EXISTS (SELECT 1 FROM json_each(s.labels) AS l WHERE l.key = ? AND l.value = ?)";

function isIn(states: readonly SessionState[]): string {
  return `s.state IN (${states.map(() => "?").join(", ")})`;
}

/** What the index is asked for; empty = everything. */
function matchOf({ query, starred, profile, workspace, labels }: SessionFilter): string {
  return toMatch(termsOf(query), [
    ...(starred === undefined ? [] : [`"=s${starred ? 1 : 0}"`]),
    ...(profile === "" ? [] : [`"=p${hex(profile)}"`]),
    ...(workspace === "" ? [] : [`"=w${hex(workspace)}"`]),
    ...Object.entries(labels).map(([name, value]) => `"=l${hex(name)}x${hex(value)}"`),
  ]);
}

function termsOf(query: string): readonly SearchTerm[] {
  return query === "" ? [] : parseTitleQuery(query);
}

function hex(text: string): string {
  return Buffer.from(text).toString("hex");
}

function keysOf(rows: readonly { readonly key: number }[]): string {
  return JSON.stringify(rows.map(({ key }) => key));
}
