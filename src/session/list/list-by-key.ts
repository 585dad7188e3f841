import type { Database, SqlValue } from "../../store/database.ts";

/** Where a session stands in a list by the time of its making. */
interface Place {
  readonly key: number;
  readonly ordered_by: number | string;
}

interface KeyWalk {
  /** What the index is asked for. */
  readonly match: string;
  readonly direction: "ASC" | "DESC";
  /** The place after which the page begins; undefined = from the beginning. */
  readonly after: readonly [createTimeMs: number | string, key: number] | undefined;
  /** Of how many places a page is. */
  readonly limit: number;
  /** How many keys are looked at. */
  readonly keys: number;
}

/**
 * A page by the time of making, from the keys that match and come next: keys are given in the order of making, and the index
 * has them in order, however far the first that matches is. Sessions that were imported are older than their keys. So the page
 * counts only where no session that was not looked at lies within it; else undefined, as where it is not full.
 */
export async function pageByKey<P extends Place>(
  db: Database,
  walk: KeyWalk,
  /** Puts those of these keys that belong to the list in its order. */
  pick: (keys: readonly { readonly key: number }[]) => Promise<readonly P[]>,
): Promise<readonly P[] | undefined> {
  const keys = await nextKeys(db, walk);
  const page = await pick(keys);
  const last = page.at(-1);
  const lastKey = keys.at(-1)?.key;
  if (last === undefined || lastKey === undefined || page.length < walk.limit) return undefined;
  return (await hasOther(db, walk, last, lastKey)) ? undefined : page;
}

async function nextKeys(db: Database, { match, direction, after, keys }: KeyWalk) {
  const from = after === undefined ? "" : `AND rowid ${direction === "ASC" ? ">" : "<"} ?`;
  return db.all<{ key: number }>({
    sql: `SELECT rowid AS key FROM session_index WHERE session_index MATCH ? ${from} ORDER BY rowid ${direction} LIMIT ?`,
    params: [match, ...(after === undefined ? [] : [after[1]]), keys],
  });
}

/** Whether a session lies in a page whose key is beyond those that were looked at, on either side. Reads one index alone. */
async function hasOther(db: Database, { direction, after }: KeyWalk, last: Place, lastKey: number): Promise<boolean> {
  const [before, beyond] = direction === "ASC" ? ["<", ">"] : [">", "<"];
  const inPage: (readonly [condition: string, ...params: SqlValue[]])[] = [
    [`(create_time_ms, key) ${before} (?, ?)`, last.ordered_by, last.key],
    ...(after === undefined ? [] : [[`(create_time_ms, key) ${beyond} (?, ?)`, ...after] as const]),
  ];
  const unseen: (readonly [condition: string, key: number])[] = [
    [`+key ${beyond} ?`, lastKey],
    ...(after === undefined ? [] : [[`+key ${before} ?`, after[1]] as const]),
  ];
  const conditions = inPage.map(([condition]) => condition).join(" AND ");
  const other = await db.get({
    sql: `SELECT 1 AS one FROM sessions INDEXED BY sessions_by_create
      WHERE ${conditions} AND (${unseen.map(([condition]) => condition).join(" OR ")}) LIMIT 1`,
    params: [...inPage, ...unseen].flatMap(([, ...params]) => params),
  });
  return other !== undefined;
}
