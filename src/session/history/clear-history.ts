import { cutHistory, type CutHistoryDeps } from "./cut-history.ts";
import { hasHistory } from "./history-store.ts";
import type { StoredSession } from "../session-store.ts";
import { whileIdle } from "../while-idle.ts";

/**
 * Removes all messages of an idle session with their turns and events; an empty one is left as it is. Throws DomainError
 * `SESSION_NOT_FOUND`, `SESSION_BUSY`.
 */
export async function clearHistory(
  deps: CutHistoryDeps,
  { sessionId, actor }: { readonly sessionId: string; readonly actor: string },
): Promise<StoredSession> {
  return whileIdle(deps, sessionId, async (idle) => {
    if (!(await hasHistory(deps.db, idle.session.key))) return idle.session;
    return cutHistory(deps, idle, { fromSeq: 1, firstMessageId: "", actor });
  });
}
