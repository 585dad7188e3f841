import type { Statement } from "../store/database.ts";
import { nextRevisions, REVISION } from "../store/revision.ts";

/** The humans that a session waits for. */
export interface WaitingOn {
  /** Open requests, the oldest first. */
  readonly requestIds: readonly string[];
  readonly sinceMs: number;
  /** The earliest; null = none. */
  readonly deadlineMs: number | null;
}

/** Undefined = it waits for nobody. */
export function waitingOnFromText(text: string): WaitingOn | undefined {
  return text === "" ? undefined : (JSON.parse(text) as WaitingOn);
}

/** How many sessions may stand above one another: one that a human started, and three levels of those that agents started. */
export const MAX_LEVELS = 4;

/** As many as a session alone can have open; the rest of those below it are found by listing them. */
const MAX_IDS = 100;

/**
 * Goes after what opens or ends requests of a session: its row, and those of the sessions above it, say again whom they wait
 * for. Each row has a revision of its own.
 */
export function setWaitingOn(sessionKey: number, nowMs: number): readonly Statement[] {
  return [
    nextRevisions(MAX_LEVELS),
    {
      sql: `WITH RECURSIVE chain (key, parent_id, level) AS (
          SELECT key, parent_session_id, 0 FROM sessions WHERE key = ?
          UNION ALL
          SELECT s.key, s.parent_session_id, chain.level + 1 FROM chain JOIN sessions AS s ON s.id = chain.parent_id
          WHERE chain.parent_id <> '' AND chain.level < ${MAX_LEVELS - 1}
        )
        UPDATE sessions SET revision = ${REVISION} - (SELECT level FROM chain WHERE chain.key = sessions.key),
          update_time_ms = max(update_time_ms + 1, ?), waiting_on = (
          WITH RECURSIVE tree (key, id) AS (
            SELECT sessions.key, sessions.id
            UNION ALL
            SELECT child.key, child.id FROM tree JOIN sessions AS child
              ON child.parent_session_id = tree.id AND child.parent_session_id <> ''
          )
          SELECT CASE count(*) WHEN 0 THEN '' ELSE json_object('requestIds', json_group_array(id),
            'sinceMs', min(create_time_ms), 'deadlineMs', min(deadline_ms)) END
          FROM (SELECT r.id, r.create_time_ms, r.deadline_ms FROM tree CROSS JOIN requests AS r
            ON r.session_key = tree.key AND r.state = 'open' ORDER BY r.key LIMIT ${MAX_IDS}) AS waiting)
        WHERE key IN (SELECT key FROM chain)`,
      params: [sessionKey, nowMs],
    },
  ];
}
