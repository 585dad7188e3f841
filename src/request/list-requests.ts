import type { Database, SqlValue } from "../store/database.ts";
import type { RequestKind, RequestState } from "./request.ts";
import { rankOf, requestFromRow, sizeOfRow, type RequestRow, type StoredRequest } from "./request-store.ts";

/** Which requests; all of it. */
export interface RequestFilter {
  /** Undefined = of any, and of none. */
  readonly sessionKey: number | undefined;
  /** A session and those below it; absent = any. */
  readonly root?: { readonly key: number; readonly id: string };
  /** At least one. */
  readonly states: readonly RequestState[];
  /** Empty = any. */
  readonly kinds: readonly RequestKind[];
}

/** How urgent it is, then its key. */
export type RequestPlace = readonly [rank: number, key: number];

export interface ListRequests {
  readonly filter: RequestFilter;
  /** Undefined = from the beginning. */
  readonly after: RequestPlace | undefined;
  readonly limit: number;
  /** A page ends with the request that is beyond. */
  readonly maxBytes: number;
}

export function placeOfRequest({ priority, key }: StoredRequest): RequestPlace {
  return [rankOf(priority), key];
}

/** The most urgent first, then the oldest. */
export async function listRequests(
  db: Database,
  { filter, after, limit, maxBytes }: ListRequests,
): Promise<readonly StoredRequest[]> {
  const { sessionKey, root, states, kinds } = filter;
  const conditions: (readonly [condition: string, ...params: SqlValue[]])[] = [
    [`state IN (${states.map(() => "?").join(", ")})`, ...states],
    ...(sessionKey === undefined ? [] : [["session_key = ?", sessionKey] as const]),
    ...(root === undefined ? [] : [["(session_key = ? OR root_session_id = ?)", root.key, root.id] as const]),
    ...(kinds.length === 0 ? [] : [[`kind IN (${kinds.map(() => "?").join(", ")})`, ...kinds] as const]),
    ...(after === undefined ? [] : [["(priority < ? OR (priority = ? AND key > ?))", after[0], ...after] as const]),
  ];
  let bytes = 0;
  const rows = await db.all<RequestRow>(
    {
      sql: `SELECT * FROM requests WHERE ${conditions.map(([condition]) => condition).join(" AND ")}
        ORDER BY priority DESC, key LIMIT ?`,
      params: [...conditions.flatMap(([, ...params]) => params), limit],
    },
    (row) => (bytes += sizeOfRow(row)) > maxBytes,
  );
  return rows.map(requestFromRow);
}
