import type { Database, Row, Statement } from "../../store/database.ts";
import { MESSAGE_LINE, sessionLine, type Lines } from "./export-format.ts";
import { sessionFromRow, type SessionRow } from "../session-store.ts";

/** What a session may hold to be read together with others, and all of them together: some milliseconds of reading. */
const MAX_SESSION_BYTES = 128 * 1024;
const MAX_BYTES = 1024 * 1024;

interface SizeRow extends Row {
  id: string;
  bytes: number;
}

interface LinesRow extends Row {
  key: number;
  messages: number;
  lines: Uint8Array<ArrayBuffer>;
}

/**
 * The lines of those of these sessions that are small, each by its id, all of one moment. Large ones are left out, and those
 * that are gone.
 */
export async function readSmallSessions(db: Database, ids: readonly string[]): Promise<Map<string, readonly Lines[]>> {
  const small = await findSmall(db, ids);
  const [sessions = [], said = []] = await db.read([selectSessions(small), selectLines(small)]);
  const linesOf = new Map((said as LinesRow[]).map((row) => [row.key, row]));
  return new Map(
    (sessions as SessionRow[]).map((row) => {
      const head = { bytes: Buffer.from(sessionLine(sessionFromRow(row))), sessions: 1, messages: 0 };
      const lines = linesOf.get(row.key);
      // Not put together here: all that is exported would be copied once more.
      if (lines === undefined) return [row.id, [head]];
      return [row.id, [head, { bytes: lines.lines, sessions: 0, messages: lines.messages }]];
    }),
  );
}

/** Sizes are in the heads of the rows: looking at them reads none of the text. */
async function findSmall(db: Database, ids: readonly string[]): Promise<string[]> {
  const sizes = await db.all<SizeRow>({
    sql: `SELECT s.id AS id, coalesce(sum(octet_length(m.parts)), 0) AS bytes
      FROM sessions AS s LEFT JOIN messages AS m ON m.session_key = s.key
      WHERE s.id IN (SELECT value FROM json_each(?)) GROUP BY s.key`,
    params: [JSON.stringify(ids)],
  });
  let left = MAX_BYTES;
  return sizes.filter(({ bytes }) => bytes <= MAX_SESSION_BYTES && (left -= bytes) >= 0).map(({ id }) => id);
}

function selectSessions(ids: readonly string[]): Statement {
  return { sql: "SELECT * FROM sessions WHERE id IN (SELECT value FROM json_each(?))", params: [JSON.stringify(ids)] };
}

/**
 * Their whole messages; one that is being made is no part of an export. They are put in order before they are put together,
 * as the index has them: an order within the function would take each line to be sorted.
 */
function selectLines(ids: readonly string[]): Statement {
  return {
    sql: `SELECT key, count(*) AS messages, CAST(group_concat(line, '') AS BLOB) AS lines
      FROM (
        SELECT session_key AS key, ${MESSAGE_LINE} AS line FROM messages
        WHERE session_key IN (SELECT key FROM sessions WHERE id IN (SELECT value FROM json_each(?)))
          AND status <> 'streaming'
        ORDER BY session_key, seq
      )
      GROUP BY key`,
    params: [JSON.stringify(ids)],
  };
}
