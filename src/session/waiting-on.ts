import type { Statement } from "../store/database.ts";
import { NEXT_REVISION, REVISION } from "../store/revision.ts";

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

/** Goes after what opens or ends requests of a session: the row says again what it waits for. */
export function setWaitingOn(sessionKey: number, nowMs: number): readonly Statement[] {
  return [
    NEXT_REVISION,
    {
      sql: `UPDATE sessions SET revision = ${REVISION}, update_time_ms = max(update_time_ms + 1, ?), waiting_on = (
        SELECT CASE count(*) WHEN 0 THEN '' ELSE json_object('requestIds', json_group_array(id),
          'sinceMs', min(create_time_ms), 'deadlineMs', min(deadline_ms)) END
        FROM (SELECT id, create_time_ms, deadline_ms FROM requests WHERE session_key = ? AND state = 'open' ORDER BY key) AS waiting)
        WHERE key = ?`,
      params: [nowMs, sessionKey, sessionKey],
    },
  ];
}
