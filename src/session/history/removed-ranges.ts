import type { Database, Statement } from "../../store/database.ts";

/**
 * Takes away some rows of events that a cut took out of a log; undefined where there are none. Nobody reads them any more,
 * so a log in memory may go on passing over a range that is gone.
 */
export async function nextRangePiece(db: Database, maxRows: number): Promise<readonly Statement[] | undefined> {
  const range = await db.get<{ session_key: number; from_seq: number; to_seq: number }>({
    sql: "SELECT session_key, from_seq, to_seq FROM removed_ranges LIMIT 1",
    params: [],
  });
  if (range === undefined) return undefined;
  const { session_key: key, from_seq: from, to_seq: to } = range;
  const piece = await db.get<{ last: number | null }>({
    sql: `SELECT max(seq) AS last FROM (SELECT seq FROM events WHERE session_key = ? AND seq >= ? AND seq <= ?
      ORDER BY seq LIMIT ?) AS piece`,
    params: [key, from, to, maxRows],
  });
  if (piece === undefined || piece.last === null) {
    return [
      {
        // Where a later cut has made it longer meanwhile, there is more to do.
        sql: "DELETE FROM removed_ranges WHERE session_key = ? AND from_seq = ? AND to_seq = ?",
        params: [key, from, to],
      },
    ];
  }
  return [
    { sql: "DELETE FROM events WHERE session_key = ? AND seq >= ? AND seq <= ?", params: [key, from, piece.last] },
  ];
}
