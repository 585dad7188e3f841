import { createSharedPages, type SharedPages } from "../event/shared-pages.ts";
import type { Database, Row } from "../store/database.ts";
import { requestFromRow, sizeOfRow, type RequestRow, type StoredRequest } from "./request-store.ts";

/** A request that is open, or that one is no more. */
export type RequestChange =
  | { readonly kind: "request"; readonly request: StoredRequest }
  | { readonly kind: "request_gone"; readonly id: string; readonly key: number };

/** Changes in the order in which they were made, only the last one of each request. */
export interface RequestChangePage {
  readonly changes: readonly RequestChange[];
  /** Where the next page begins. */
  readonly cursor: number;
  /** Whether there may be more already. */
  readonly hasMore: boolean;
}

/** What a reader is handed at once. More than the requests of a session, which end with it in one revision. */
const MAX_CHANGES = 400;
const MAX_BYTES = 128 * 1024;

interface Changed extends Row {
  key: number;
  id: string;
  revision: number;
  state: string;
}

/** The changes of all requests, for who watches them. */
export type RequestFeed = SharedPages<RequestChangePage>;

export function createRequestFeed(db: Database): RequestFeed {
  return createSharedPages(db, (after) => readRequestChanges(db, after));
}

export async function readRevision(db: Database): Promise<number> {
  return Number((await db.get({ sql: "SELECT value FROM engine_revision", params: [] }))?.["value"]);
}

async function readRequestChanges(db: Database, after: number): Promise<RequestChangePage> {
  const end = await readRevision(db);
  if (end === after) return { changes: [], cursor: after, hasMore: false };
  const changed = await db.all<Changed>({
    sql: "SELECT key, id, revision, state FROM requests WHERE revision > ? AND revision <= ? ORDER BY revision, key LIMIT ?",
    params: [after, end, MAX_CHANGES],
  });
  const isCut = changed.length === MAX_CHANGES;
  // The last revision of a full page may have more rows: they come together with the next one.
  const last = changed.at(-1)?.revision;
  const whole = isCut ? changed.filter(({ revision }) => revision !== last) : changed;
  const { open, upTo } = await readOpen(db, whole);
  const told = whole.filter(({ revision }) => revision <= upTo);
  const cursor = upTo < Infinity ? upTo : isCut ? (whole.at(-1)?.revision ?? end) : end;
  return { changes: told.map((row) => changeOf(row, open)), cursor, hasMore: cursor < end };
}

/** The open ones whole, and the revision up to which that is all of them: it ends where they would be too large. */
async function readOpen(db: Database, changed: readonly Changed[]) {
  const keys = changed.filter(({ state }) => state === "open").map(({ key }) => key);
  let bytes = 0;
  const rows = await db.all<RequestRow>(
    {
      sql: "SELECT r.* FROM json_each(?) AS wanted CROSS JOIN requests AS r ON r.key = wanted.value ORDER BY wanted.id",
      params: [JSON.stringify(keys)],
    },
    (row) => (bytes += sizeOfRow(row)) > MAX_BYTES,
  );
  const open = new Map(rows.map((row) => [row.key, requestFromRow(row)]));
  const lastRead = rows.at(-1)?.key;
  const isCut = rows.length < keys.length;
  return { open, upTo: isCut ? (changed.find(({ key }) => key === lastRead)?.revision ?? Infinity) : Infinity };
}

/** What has ended since it was found is told as it is now: its end comes again later, which does no harm. */
function changeOf({ key, id }: Changed, open: ReadonlyMap<number, StoredRequest>): RequestChange {
  const request = open.get(key);
  return request?.state === "open" ? { kind: "request", request } : { kind: "request_gone", id, key };
}
